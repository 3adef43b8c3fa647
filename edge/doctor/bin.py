"""The bin itself: its configuration, model, camera, lines and broker, each tried as the running bin would use it."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from edge.actuators.gpio import line_errors
from edge.assembly.actuators import open_lines
from edge.assembly.cameras import open_camera
from edge.assembly.chosen import load_chosen
from edge.assembly.classes import open_site
from edge.assembly.misfits import misfits
from edge.assembly.outlets import mqtt_settings
from edge.assembly.page import server_type
from edge.assembly.parts import calibrated_camera
from edge.assembly.places import journal_path, pictures_folder
from edge.cameras.base import Camera
from edge.classifiers.litert import LiteRTClassifier
from edge.clock import SystemClock
from edge.config import Config, check
from edge.config.cameras import CameraSection, UsbCameraSection
from edge.config.contradictions import pins_of
from edge.doctor.finding import Finding, failure, ok, warning
from edge.drift import compare, sentences, sharpness
from edge.errors import SorterError, StaleFrameError
from edge.journal import JournalReader
from edge.journal.damage import complaint
from edge.messages import Frame, Image
from edge.models.verification import check_golden
from edge.presence.settings import Region
from edge.presence.view import inside
from edge.publishers.connection import greet
from edge.running.day_budget import WRITES_KEY, DayWrites
from edge.site import NO_SITE, Site
from edge.web.listening import listen_at

NUM_FRAMES = 24
_FRAME_TIMEOUT_S = 5.0
# Less than this of the configured rate is worth a word.
_MIN_RATE_SHARE = 0.7
# Mean level of 255 below which color is mostly noise, and above which light things lose their surface.
_DIM, _GLARING = 35.0, 225.0
# `drift.sharpness` of an empty, plain lid is below 1, and of a ground out of focus; that of any sharp texture above 5.
_FLAT = 1.0

_NUM_INVOKES = 20
_MB = 1_000_000
_CORAL_USB_IDS = {("1a6e", "089a"): "waiting for its firmware", ("18d1", "9302"): "ready"}
_USB3_MBIT = 5000
_PACKAGES = ("edge-sorter", "ai-edge-litert", "numpy", "opencv-python-headless", "pydantic")


def software() -> Iterator[Finding]:
    """What runs here, so that a report tells it."""
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    yield ok("software", f"Python {platform.python_version()} on {platform.machine()}; {versions}")


def configuration(config: Config, path: Path | None) -> Iterator[Finding]:
    """Do the settings, the model, the site file and the bins fit together?"""
    check(config, [misfits])
    yield ok("config", f"{path or 'the defaults'}: everything fits together")
    for sentence in _site(config).again:
        found, _, advice = sentence.rpartition(": ")
        yield warning("calibration", found, advice)


def camera(config: Config) -> Iterator[Finding]:
    """Is it there, as fast as asked, and are its pictures fit to be judged?"""
    name = config.camera.backend
    site = _site(config)
    frames = list(_frames(calibrated_camera(config, site)))
    if not frames:
        yield failure(
            "camera", f"{name}: no picture", "see that something is plugged in, or that the source is not empty"
        )
        return
    height, width = frames[-1].image.shape[:2]
    yield from _rate(config, f"{name}: {width}x{height}", frames)
    region = site.region or config.presence.region
    yield from _light(frames[-1].image, region)
    yield from _scene(site, region, [frame.image for frame in frames[len(frames) // 2 :]])
    if (
        isinstance(config.camera, UsbCameraSection)
        and "auto_exposure" not in config.camera.controls
        and config.site is None
    ):
        yield warning(
            "exposure", "the camera sets it by itself: colors change with each item", "sorter calibrate camera"
        )


def model(config: Config) -> Iterator[Finding]:
    """Does the model answer here as it did where it was made, and how fast?"""
    chosen = load_chosen(config)
    bundle = chosen.bundle
    if chosen.complaint is not None:
        found, _, advice = chosen.complaint.partition(": ")
        yield warning("model", found, advice)
    checks = check_golden(bundle, LiteRTClassifier(bundle))
    wrong = [check.picture for check in checks if not check.is_passed]
    if wrong:
        advice = "pip install -U ai-edge-litert, or convert the model again with another --precision"
        yield failure("model", f"{bundle.short_name} answers differently here on {', '.join(wrong)}", advice)
        return
    classifier = LiteRTClassifier(bundle, config.model.threads)
    blank = np.zeros((classifier.input_spec.height_px, classifier.input_spec.width_px, 3), np.uint8)
    times_ms = [classifier.classify(blank).invoke_s * 1000 for _ in range(_NUM_INVOKES)]
    exact = sum(check.is_exact for check in checks)
    yield ok(
        "model",
        f"{bundle.short_name}: {len(checks)} golden pictures right ({exact} to the last bit), "
        f"{statistics.median(times_ms):.1f} ms a picture on {config.model.threads} threads",
    )


def accelerator(root: Path = Path("/")) -> Iterator[Finding]:
    """A Coral on USB or PCIe, where there is one."""
    for vendor_file in sorted(root.glob("sys/bus/usb/devices/*/idVendor")):
        device = vendor_file.parent
        ids = (_read(vendor_file), _read(device / "idProduct"))
        if ids not in _CORAL_USB_IDS:
            continue
        speed_mbit = float(_read(device / "speed") or 0)
        found = f"Coral USB, {_CORAL_USB_IDS[ids]}, {speed_mbit:g} Mbit/s"
        if speed_mbit < _USB3_MBIT:
            yield warning("accelerator", found, "plug it into a USB 3 port (blue), with the cable that came with it")
        else:
            yield ok("accelerator", found)
    for node in sorted(root.glob("dev/apex_*")):
        yield ok("accelerator", f"Coral PCIe at /{node.relative_to(root)}")


def kept(config: Config) -> Iterator[Finding]:
    """What the bin keeps on the disk, and the bounds it stays within."""
    journal, pictures = journal_path(config), pictures_folder(config)
    for place in (journal, pictures):
        if place is not None and place.exists() and not os.access(place, os.R_OK | os.W_OK, effective_ids=True):
            yield failure("kept", f"this user may not write {place}", "chown it to the user of the service")
    if (found := complaint(journal)) is not None:
        sentence, _, advice = found.rpartition(": ")
        yield warning("kept", sentence, advice)
    size_mb = journal.stat().st_size / _MB if journal.is_file() else 0.0
    told = f"journal {size_mb:.1f} of at most {config.journal.max_bytes / _MB:.0f} MB"
    if pictures is None:
        yield ok("kept", f"{told}; no pictures")
        return
    sizes = [file.stat().st_size for file in pictures.glob("*.jpg")]
    section = config.pictures
    yield ok(
        "kept",
        f"{told}; {len(sizes)} pictures, {sum(sizes) / _MB:.1f} of at most {section.max_bytes / _MB:.0f} MB,"
        f" at most {section.max_bytes_a_day / _MB:.0f} MB written a day",
    )


def writes(config: Config, now: datetime | None = None) -> Iterator[Finding]:
    """What the bin itself writes a day, as its journal remembers it, and where that leads."""
    path = journal_path(config)
    if not path.is_file() or path.stat().st_size == 0:
        return
    now = now or datetime.now(UTC)
    with closing(JournalReader(path)) as reader:
        noted = DayWrites.parse(reader.remembered(WRITES_KEY))
        num_decisions = reader.count_since(now.date().isoformat())
    if noted is None:
        return
    today = noted.on(now.date().isoformat())
    bound_mb = config.journal.max_bytes_a_day / _MB
    passed = (now.hour * 60 + now.minute + 1) / (24 * 60)
    told = f"the bin: {today.num_bytes / _MB:.1f} MB today (decisions: {num_decisions})"
    told += f", {today.num_bytes / _MB / passed:.0f} MB by midnight (UTC) at this rate"
    if today.num_bytes_before is not None:
        told += f"; {today.num_bytes_before / _MB:.1f} MB on its last day"
    told += f"; at most {bound_mb:.0f} MB a day"
    if today.num_bytes >= config.journal.max_bytes_a_day:
        advice = "decisions are kept, pictures and explanations are not before tomorrow: raise journal.max_bytes_a_day"
        yield warning("writes", told, advice)
    else:
        yield ok("writes", told)


def lines(config: Config) -> Iterator[Finding]:
    """Can this user drive the GPIO lines that the bins name, and is each of them free?"""
    pins = {pin: name for name, pin in pins_of(config)}
    if not pins:
        return
    with closing(open_lines(config.gpio)) as factory:
        for pin, name in sorted(pins.items()):
            with line_errors(pin), closing(factory.pin(pin)):
                yield ok("gpio", f"line {pin} of {name} is free")


def page(config: Config) -> Iterator[Finding]:
    """Can a page be served, is its address one of this machine, and its port free?"""
    if config.web is None:
        return
    server_type()
    try:
        listen_at(config.web.host, config.web.port).close()
    except SorterError as error:
        found = str(error).partition("; ")[0]
        advice = "well so if that program is the bin, which runs now; else set web.port to another, or web.host"
        yield warning("page", found, advice)
    else:
        yield ok("page", f"port {config.web.port} at {config.web.host} is free")


def broker(config: Config) -> Iterator[Finding]:
    """Does the broker let the bin in?"""
    if config.mqtt is None:
        return
    settings = mqtt_settings(config, config.mqtt)
    greet(settings)
    yield ok("broker", f"{settings.address} lets the bin in")


def _site(config: Config) -> Site:
    """The site as the running bin would take it; one that does not load is a finding of `configuration`."""
    try:
        return open_site(config, load_chosen(config).bundle)
    except SorterError:
        return NO_SITE


def _frames(section: CameraSection) -> Iterator[Frame]:
    clock = SystemClock()
    with closing(open_camera(section, clock)) as source:
        source.open()
        for _ in range(NUM_FRAMES):
            frame = _next(source)
            if frame is None:
                return
            yield frame


def _next(source: Camera) -> Frame | None:
    """As the loop does: a late frame is waited for; a camera that gives none, or dark ones, says so in another way."""
    while True:
        with suppress(StaleFrameError):
            return source.next_frame(_FRAME_TIMEOUT_S)


def _rate(config: Config, name: str, frames: Sequence[Frame]) -> Iterator[Finding]:
    gaps_s = [after.captured_at_s - before.captured_at_s for before, after in pairwise(frames)]
    gap_s = statistics.median(gaps_s) if gaps_s else 0.0
    if gap_s <= 0:
        yield ok("camera", name)
        return
    found = f"{name}, {1 / gap_s:.1f} frames/s"
    wanted_hz = getattr(config.camera, "rate_hz", None)
    if wanted_hz is not None and 1 / gap_s < _MIN_RATE_SHARE * wanted_hz:
        yield warning(
            "camera",
            f"{found}, asked for {wanted_hz:g}",
            "more light (exposure takes long), a USB port of its own, or a smaller picture",
        )
    else:
        yield ok("camera", found)


def _light(image: Image, region: Region) -> Iterator[Finding]:
    level = float(inside(image, region).mean())
    fine = sharpness(image)  # the lens is that of the whole picture; a region may be all even ground
    found = f"mean level {level:.0f} of 255, sharpness {fine:.1f}"
    if level < _DIM:
        yield warning("light", found, "add a lamp under the lid: in the dark glass, metal and plastic look alike")
    elif level > _GLARING:
        yield warning("light", found, "shade the lamp or shorten the exposure: bright surfaces lose their structure")
    elif fine < _FLAT:
        yield warning("light", found, "clean the lens and focus: sorter calibrate camera shows a sharpness meter")
    else:
        yield ok("light", found)


def _scene(site: Site, region: Region, images: Sequence[Image]) -> Iterator[Finding]:
    """Is the empty scene what it was on the day of its calibration?"""
    reference = site.background
    if reference is None:
        return
    (height, width), (now_height, now_width) = reference.shape[:2], images[-1].shape[:2]
    if (height, width) != (now_height, now_width):
        found = f"calibrated at {width}x{height}, the camera now gives {now_width}x{now_height}"
        yield warning("scene", found, "set the size as it was, or run `sorter calibrate background` again")
        return
    total = np.zeros(reference.shape, np.float32)
    for image in images:
        cv2.accumulate(image, total)
    drift = compare(reference, np.rint(total / len(images)).astype(np.uint8), region)
    changes = list(sentences(drift))
    for sentence in changes:
        found, _, advice = sentence.rpartition("; " if "; " in sentence else ": ")
        if drift.spot > 0:
            advice += ", and see that the bin is empty"
        yield warning("scene", found, advice)
    if not changes:
        yield ok(
            "scene", f"as it was when it was calibrated: brightness {drift.light:.0%}, sharpness {drift.sharpness:.0%}"
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
