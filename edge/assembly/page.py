"""The page over a bin, from its section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from edge.assembly.parts import Parts, second_classifier
from edge.config.web import WebSection
from edge.errors import MissingLibraryError
from edge.files.places import state_folder
from edge.messages import Image, Sight
from edge.running.consequences import Listener
from edge.running.farewell import Farewell
from edge.running.telemetry import Telemetry
from edge.site import default_site
from edge.web.access import is_loopback, keep_token
from edge.web.recent import RecentPictures
from edge.web.settings import PageSettings
from edge.web.tally import Tally
from edge.web.window import Controls, Decisions, ItemPictures, SightSlot, Teacher, Window, Work

if TYPE_CHECKING:
    from edge.web.server import PageServer

# The room that teaches announces itself here, since edge imports no room above it.
TEACHERS = "sorter.teachers"

_TOKEN_FILE = "web-token"  # noqa: S105 - where it is, not what it is


@dataclass(frozen=True, slots=True)
class Onlookers:
    """What the page wants to be told; nothing where there is no page."""

    observers: tuple[Callable[[Sight], None], ...] = ()
    listeners: tuple[Listener, ...] = ()


NOBODY = Onlookers()


def open_page(
    stack: Farewell,
    parts: Parts,
    *,
    journal: Decisions,
    telemetry: Telemetry,
    problems: Callable[[], Sequence[str]] = list,
    pictures: ItemPictures | None = None,
    announce: Callable[[str], None] = lambda _: None,
    teacher: Teacher | None = None,
    controls: Controls | None = None,
) -> Onlookers:
    """The page, serving until `stack` ends; `announce` is told its address.

    Without `pictures` those of the last items are kept in memory, unless the configuration wants none.

    Raises:
        MissingLibraryError, UnavailableError, AccessDeniedError: it cannot be served.
    """
    section = parts.config.web
    if section is None:
        return NOBODY
    sights, tally, recent = SightSlot(), Tally(), None
    if pictures is None and parts.config.pictures.enabled:
        pictures = recent = RecentPictures(sights)
    work = Work(
        telemetry=telemetry,
        sights=sights,
        tally=tally,
        journal=journal,
        pictures=pictures,
        problems=problems,
        teacher=teacher,
        controls=controls,
    )
    server = new_server(_page_settings(section), window_of(parts, work))
    server.start()
    stack.stopping(server.stop)
    announce(server.address)
    listeners = (tally.tell,) if recent is None else (tally.tell, recent.tell)
    return Onlookers((sights.put,), listeners)


@dataclass(frozen=True, slots=True)
class ReloadingTeacher:
    """A teacher after whose lessons the bin is asked to read its site file again."""

    teacher: Teacher
    on_taught: Callable[[], None]

    def teach(self, label: str, images: Sequence[Image]) -> str:
        said = self.teacher.teach(label, images)
        self.on_taught()
        return said


def find_teacher(parts: Parts, on_taught: Callable[[], None]) -> Teacher | None:
    """What teaches this bin's site; None where nothing is installed that does, or the network cannot be taught."""
    if parts.config.web is None or parts.bundle.manifest.outputs.embedding is None:
        return None
    for announced in entry_points(group=TEACHERS):
        teacher: Teacher = announced.load()(parts.bundle, parts.config.site or default_site())
        return ReloadingTeacher(teacher, on_taught)
    return None


def new_server(settings: PageSettings, window: Window) -> PageServer:
    """A server that is not answering yet.

    Raises:
        MissingLibraryError: the extra is not installed.
    """
    return server_type()(settings, window)


def server_type() -> type[PageServer]:
    """What serves a page.

    Raises:
        MissingLibraryError: the extra is not installed.
    """
    try:
        from edge.web.server import PageServer  # noqa: PLC0415 - only where a page is wanted
    except ModuleNotFoundError as error:
        raise MissingLibraryError.of_extra("the page", str(error.name), "web") from error
    return PageServer


def window_of(parts: Parts, work: Work | None) -> Window:
    """What the page shows of these parts."""
    device = parts.config.device
    return Window(
        name=device.name or device.id,
        model=parts.bundle.short_name,
        labels=parts.classifier.labels,
        input_spec=parts.classifier.input_spec,
        open_classifier=partial(second_classifier, parts),
        site=parts.site.site_id,
        work=work,
    )


def _page_settings(section: WebSection) -> PageSettings:
    """Where the page is; one that others can reach gets a token."""
    token = None if section.token is None else section.token.get_secret_value()
    if token is None and not is_loopback(section.host):
        token = keep_token(state_folder() / _TOKEN_FILE)
    return PageSettings(section.host, section.port, token, section.hosts)
