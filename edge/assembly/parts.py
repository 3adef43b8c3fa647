"""What a configuration names, loaded and found to fit together; no hardware is touched."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from edge.assembly.models import bundle_path
from edge.assembly.policy import AdjustablePolicy
from edge.bundle import Bundle
from edge.classifiers.base import Classifier
from edge.classifiers.litert import DELEGATES, LiteRTClassifier
from edge.config.cameras import CameraSection, CsiCameraSection, UsbCameraSection
from edge.config.sections import Config
from edge.decision import DecisionSettings
from edge.novelty import load_novelty
from edge.passing import PassingTracker
from edge.presence import PresenceDetector, PresenceSettings
from edge.routing import Routing, route
from edge.signatures import load_trusted_bundle
from edge.site import NO_SITE, Site, load_site
from edge.tracking import Mode, RestTracker, Tracker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything between lens and bin that the configuration alone decides on."""

    config: Config
    bundle: Bundle
    site: Site
    classifier: Classifier
    routing: Routing
    policy: AdjustablePolicy
    bins: tuple[str, ...]

    def tracker(self) -> Tracker:
        """What holds the items that wait, as they come in this bin."""
        match self.config.items.mode:
            case Mode.REST:
                return RestTracker(self.config.smoothing)
            case Mode.PASSING:
                return PassingTracker(self.config.items, self.config.smoothing)

    def presence(self) -> PresenceDetector:
        """What notices items, before the site's own background."""
        return PresenceDetector(_presence_settings(self.config, self.site), self.site.background)

    def camera(self) -> CameraSection:
        """The camera with the controls that calibration locked; those that the configuration names hold."""
        section, calibrated = self.config.camera, self.site.camera
        if not isinstance(section, UsbCameraSection | CsiCameraSection):
            return section
        if calibrated is None or calibrated.backend != section.backend:
            return section
        return section.model_copy(update={"controls": {**calibrated.controls, **section.controls}})


def load_parts(config: Config) -> Parts:
    """Load what the configuration names.

    Raises:
        SorterError: the bundle, the site file, the thresholds or the bins do not fit.
    """
    bundle = load_trusted_bundle(bundle_path(config), config.model.public_key)
    site = open_site(config, bundle)
    for sentence in site.again:
        log.warning("site %s: %s", config.site, sentence)
    labels = bundle.manifest.labels
    routing = route(labels_of_bins(config), labels, unknown_bin(config))
    return Parts(
        config=config,
        bundle=bundle,
        site=site,
        classifier=LiteRTClassifier(
            bundle, config.model.threads, site.temperature, delegate=DELEGATES[config.model.backend]
        ),
        routing=routing,
        policy=AdjustablePolicy(decision_settings(config, site), labels, routing, load_novelty(bundle)),
        bins=tuple(sorted({*routing.bin_of_label.values(), *config.bins})),
    )


def open_site(config: Config, bundle: Bundle) -> Site:
    """The site that the configuration names, or none."""
    return NO_SITE if config.site is None else load_site(config.site, bundle)


def decision_settings(config: Config, site: Site) -> DecisionSettings:
    """When to accept: as calibrated, and before that as configured."""
    return replace(config.decision, classes={**site.thresholds, **config.decision.classes})


def labels_of_bins(config: Config) -> dict[str, tuple[str, ...]]:
    """The labels that go into each bin."""
    return {name: section.labels for name, section in config.bins.items()}


def unknown_bin(config: Config) -> str | None:
    """The bin that takes what is unknown."""
    return next((name for name, section in config.bins.items() if section.takes_unknown), None)


def _presence_settings(config: Config, site: Site) -> PresenceSettings:
    settings = replace(config.presence, region=site.region) if site.region else config.presence
    # A belt may never lie still: without a reference its first frame must do.
    return replace(settings, learn_s=0.0) if config.items.mode is Mode.PASSING else settings
