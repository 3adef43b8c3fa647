"""What was calibrated, when, and what should be done next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from calibration.talk import Desk
from edge.assembly.chosen import bundle_path
from edge.bundle import Bundle, load_bundle
from edge.site import SiteDescription, Step, what_is_stale

# In the order of doing them: what each is called before a person, and the command that does it.
_STEPS = {
    "camera": ("camera settings", "sorter calibrate camera"),
    "background": ("empty scene", "sorter calibrate background"),
    "head": ("taught classes", "sorter teach LABEL"),
    "temperature": ("temperature", "sorter calibrate temperature PICTURES"),
    "thresholds": ("thresholds", "sorter calibrate thresholds PICTURES"),
    "actuators": ("flaps", "sorter calibrate actuators"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a step stands: `made_at` is None where it was not done, `again` says why it must be done again."""

    name: str
    title: str
    made_at: datetime | None
    again: str | None
    remedy: str


def standings(described: SiteDescription, bundle: Bundle) -> Iterator[Standing]:
    """Every step in the order of doing them, each with what is to be done about it; nothing where it holds."""
    steps, stale = _steps(described), what_is_stale(described, bundle)
    for name, (title, command) in _STEPS.items():
        step, again = steps[name], stale.get(name)
        yield Standing(name, title, step.made_at if step else None, again, again or ("" if step else command))


def show_site(desk: Desk) -> None:
    """Tell of every step whether it was done and still holds."""
    described = desk.folder.read()
    bundle = load_bundle(bundle_path(desk.config))
    desk.talk.say(f"Site {desk.folder.path}, model {bundle.short_name}:")
    steps: dict[str, JsonValue] = {}
    for one in standings(described, bundle):
        done = "not done yet" if one.made_at is None else f"done {one.made_at:%Y-%m-%d %H:%M}"
        desk.talk.say(f"  {one.title:16} {done:22} {one.remedy}".rstrip())
        steps[one.name] = {"made_at": None if one.made_at is None else one.made_at.isoformat(), "again": one.again}
    if described.region is not None:
        share = described.region
        desk.talk.say(f"  region           {share.left:g} {share.top:g} {share.right:g} {share.bottom:g}")
    desk.talk.result("show", {"site": str(desk.folder.path), "steps": steps})


def _steps(described: SiteDescription) -> dict[str, Step | None]:
    """The steps by name; of the flaps the one that was done last."""
    return {
        "camera": described.camera,
        "background": described.background,
        "head": described.head,
        "temperature": described.temperature,
        "thresholds": described.thresholds,
        "actuators": max(described.actuators.values(), key=lambda flap: flap.made_at, default=None),
    }
