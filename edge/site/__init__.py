"""The site file: what belongs to one bin and to no other.

A directory, so that pictures and small arrays lie beside the text:

    site.toml                    what each step of calibration found, and when
    background-3f2a91c04d5e.png  the empty scene, RGB, as the camera sees it
    variation-….png              how much each part of it varies by itself
    head-….npz, taught-….npz     taught classes
    judged-….npz                 what the model said of labelled pictures
    history/000041.toml          the site.toml before the last change, and those before it

A part's name carries the digest of its content: a part is never written over, and a site.toml names
exactly the parts it was made with. So one rename of site.toml changes everything, or nothing.

What depends on the model names the bundle it was measured with. Another bundle keeps the rest, and
`Site.again` says which steps must be done again: those of another bundle, and those that a later step undermined.
"""

from edge.site.loading import (
    NO_SITE,
    VARIATION_STEPS,
    Site,
    default_site,
    holding,
    load_site,
    load_variation,
    parse_site,
    read_site,
)
from edge.site.parts import HISTORY, SITE, part_name, read_part
from edge.site.schema import (
    BackgroundStep,
    CameraStep,
    ClassStep,
    FlapStep,
    HeadStep,
    RegionStep,
    SiteDescription,
    Step,
    TemperatureStep,
    ThresholdsStep,
    model_steps,
)
from edge.site.staleness import what_is_stale

__all__ = [
    "HISTORY",
    "NO_SITE",
    "SITE",
    "VARIATION_STEPS",
    "BackgroundStep",
    "CameraStep",
    "ClassStep",
    "FlapStep",
    "HeadStep",
    "RegionStep",
    "Site",
    "SiteDescription",
    "Step",
    "TemperatureStep",
    "ThresholdsStep",
    "default_site",
    "holding",
    "load_site",
    "load_variation",
    "model_steps",
    "parse_site",
    "part_name",
    "read_part",
    "read_site",
    "what_is_stale",
]
