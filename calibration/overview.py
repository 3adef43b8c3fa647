"""What was calibrated, when, and what should be done next."""

from __future__ import annotations

from pydantic import JsonValue

from calibration.talk import Desk
from edge.assembly.chosen import bundle_path
from edge.bundle import load_bundle
from edge.site import SiteDescription, Step, what_is_stale

# In the order of doing them; each with the command that does it.
STEPS = {
    "camera": "sorter calibrate camera",
    "background": "sorter calibrate background",
    "head": "sorter teach LABEL",
    "temperature": "sorter calibrate temperature PICTURES",
    "thresholds": "sorter calibrate thresholds PICTURES",
    "actuators": "sorter calibrate actuators",
}
_NAMES = {
    "camera": "camera settings",
    "background": "empty scene",
    "head": "taught classes",
    "temperature": "temperature",
    "thresholds": "thresholds",
    "actuators": "flaps",
}


def show_site(desk: Desk) -> None:
    """Tell of every step whether it was done and still holds."""
    described = desk.folder.read()
    bundle = load_bundle(bundle_path(desk.config))
    desk.talk.say(f"Site {desk.folder.path}, model {bundle.short_name}:")
    stale = what_is_stale(described, bundle)
    steps: dict[str, JsonValue] = {}
    for name, command in STEPS.items():
        step = step_of(described, name)
        done = "not done yet" if step is None else f"done {step.made_at:%Y-%m-%d %H:%M}"
        remedy = stale.get(name) or ("" if step else command)
        desk.talk.say(f"  {_NAMES[name]:16} {done:22} {remedy}".rstrip())
        steps[name] = {"made_at": None if step is None else step.made_at.isoformat(), "again": stale.get(name)}
    if described.region is not None:
        share = described.region
        desk.talk.say(f"  region           {share.left:g} {share.top:g} {share.right:g} {share.bottom:g}")
    desk.talk.result("show", {"site": str(desk.folder.path), "steps": steps})


def step_title(name: str) -> str:
    """What a step is called before a person."""
    return _NAMES[name]


def step_of(described: SiteDescription, name: str) -> Step | None:
    """The step of that name; of the flaps the one that was done last."""
    if name == "actuators":
        return max(described.actuators.values(), key=lambda flap: flap.made_at, default=None)
    steps: dict[str, Step | None] = {
        "camera": described.camera,
        "background": described.background,
        "head": described.head,
        "temperature": described.temperature,
        "thresholds": described.thresholds,
    }
    return steps[name]
