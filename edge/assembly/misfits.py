"""What is wrong with a configuration beyond its own text: the model, the site and the files that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from edge.assembly.actuators import as_calibrated, calibrated_flaps
from edge.assembly.chosen import is_on_trial, load_chosen
from edge.assembly.classes import class_misfits
from edge.assembly.outlets import mqtt_settings, webhook_settings
from edge.assembly.places import journal_path, pictures_folder
from edge.cameras.stream import check_url
from edge.config import with_site
from edge.config.cameras import ReplayCameraSection, StreamCameraSection
from edge.config.complaints import Complaint
from edge.config.contradictions import about_actuator
from edge.config.lines import Place
from edge.config.sections import Config
from edge.errors import MissingInputError, SorterError
from edge.publishers.connection import tls_context
from edge.publishers.webhook import check_address


def misfits(config: Config) -> Iterator[Complaint]:
    """Everything that would keep `sorter run` from starting, as far as no hardware has to be asked.

    It is judged with the site file that the bin would take. A model on trial is no mistake in the configuration,
    whatever it is: the start judges it, and goes back.
    """
    config = with_site(config)
    if not is_on_trial(config):
        yield from _about_model(config)
    yield from _about_flaps(config)
    yield from _about_camera(config)
    yield from _about_outlets(config)
    yield from _about_places(config)


def _about_model(config: Config) -> Iterator[Complaint]:
    try:
        bundle = load_chosen(config).bundle
    except SorterError as error:
        yield Complaint(("model", "bundle"), f": {error}", error)
    else:
        yield from class_misfits(config, bundle)


def _about_flaps(config: Config) -> Iterator[Complaint]:
    try:
        flaps = calibrated_flaps(config)
    except SorterError:  # `_about_model` says so
        return
    for name, section in config.bins.items():
        calibrated = as_calibrated(section, flaps.get(name))
        if not any(about_actuator(config, name, section)):
            for complaint in about_actuator(config, name, calibrated):
                advice = "as calibrated; widen the range, or run `sorter calibrate actuators` again"
                yield replace(complaint, text=f"{complaint.text}, {advice}")


def _about_camera(config: Config) -> Iterator[Complaint]:
    if isinstance(config.camera, ReplayCameraSection) and not config.camera.source.exists():
        missing = MissingInputError(f"{config.camera.source}: expected a video or a folder of pictures, found nothing")
        yield Complaint(("camera", "source"), f": {missing}", missing)
    if isinstance(config.camera, StreamCameraSection):
        url = config.camera.url.get_secret_value()
        yield from _failing(("camera", "url"), lambda: check_url(url))


def _about_outlets(config: Config) -> Iterator[Complaint]:
    if config.mqtt is not None:
        settings = mqtt_settings(config, config.mqtt)
        yield from _failing(("mqtt",), lambda: tls_context(settings))
    if config.webhook is not None:
        webhook = webhook_settings(config.webhook)
        yield from _failing(("webhook",), lambda: check_address(webhook))


def _about_places(config: Config) -> Iterator[Complaint]:
    yield from _about_file(("journal", "path"), journal_path(config))
    if config.files is not None:
        yield from _about_file(("files", "path"), config.files.path)
        if config.files.path.resolve() == journal_path(config).resolve():
            yield Complaint(
                ("files", "path"), f" = {str(config.files.path)!r}: the journal lies there; name another file"
            )
    pictures = pictures_folder(config)
    if pictures is not None and pictures.exists() and not pictures.is_dir():
        yield Complaint(("pictures", "path"), f" = {str(pictures)!r}: expected a folder, found a file")


def _about_file(place: Place, path: Path) -> Iterator[Complaint]:
    if path.is_dir():
        yield Complaint(place, f" = {str(path)!r}: expected a file, found a folder")
        return
    # The nearest folder that is there: what lies below it will be made.
    folder = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    if not folder.is_dir():
        yield Complaint(place, f" = {str(path)!r}: expected a folder at {folder}, found a file")


def _failing(place: Place, attempt: Callable[[], object]) -> Iterator[Complaint]:
    try:
        attempt()
    except SorterError as error:
        yield Complaint(place, f": {error}", error)
