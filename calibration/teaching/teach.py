"""`sorter teach`: show a bin some items, see what it makes of them, and keep it or not.

`Teaching` is what the command and the page share: the site's examples, joined by new ones, fitted and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from calibration.site.site_file import SiteFolder
from calibration.teaching.examples import Example, decode_examples, new_among, without_pictures_of
from calibration.teaching.lessons import Lesson, checked_label, learn
from calibration.teaching.showing import example_of_crop, in_light, open_network, shown_again
from edge.bundle import Bundle
from edge.classifiers.light import Light
from edge.classifiers.litert import LiteRTClassifier
from edge.errors import TryAgainError, UsageError
from edge.messages import Image
from edge.site import HeadStep, SiteDescription, read_part

Edit = Callable[[SiteDescription], SiteDescription]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a site was shown so far, and the step that says so. `is_outdated`: it was another model that saw it."""

    head: HeadStep | None
    examples: tuple[Example, ...]
    is_outdated: bool


class Teaching:
    """Teaches the site in a folder what a bundle's network does not know.

    Raises:
        ConfigError: the network gives no embedding.
    """

    def __init__(self, bundle: Bundle, folder: SiteFolder, num_threads: int = 2) -> None:
        self._bundle = bundle
        self._folder = folder
        self.network: LiteRTClassifier = open_network(bundle, num_threads)

    def shown(self) -> Shown:
        """What the site was shown before.

        Raises:
            InvalidDataError: the site file, or its examples, cannot be read.
        """
        head = self._folder.read().head
        if head is None:
            return Shown(None, (), is_outdated=False)
        examples = decode_examples(read_part(self._folder.path, head.examples))
        return Shown(head, examples, is_outdated=head.bundle != self._bundle.bundle_id)

    def up_to_date(self, shown: Shown) -> tuple[Example, ...]:
        """The examples as this very network sees them: from their pictures, where another one saw them."""
        if not shown.is_outdated:
            return shown.examples
        named = (replace(one, label=self._as_written(one.label)) for one in shown.examples)
        return tuple(shown_again(one, self.network) for one in named)

    def labels(self, names: Iterable[str]) -> list[str]:
        """The classes of these names, or new ones.

        Raises:
            UsageError: a name cannot be one.
        """
        head = self._folder.read().head
        known = [*self._bundle.manifest.labels, *map(self._as_written, head.num_examples if head else ())]
        found: list[str] = []
        for name in names:
            found.append(checked_label(name, (*known, *found)))
        return found

    def _as_written(self, label: str) -> str:
        """The label as this model writes it, where the one before wrote it with other capitals."""
        own = {known.casefold(): known for known in self._bundle.manifest.labels}
        return own.get(label.casefold(), label)

    def learn(self, known: Sequence[Example], fresh: Sequence[Example]) -> Lesson:
        """What comes of examples known before and fresh ones; where a picture is in both, its fresh label holds."""
        return learn(self._bundle, [*without_pictures_of(known, fresh), *new_among(fresh, ())], self._relight)

    def forget(self, known: Sequence[Example], label: str) -> Lesson | None:
        """What is left without a class; None when it was the only one.

        Raises:
            UsageError: it was never taught.
        """
        left = [example for example in known if example.label != label]
        if len(left) == len(known):
            taught = ", ".join(dict.fromkeys(example.label for example in known)) or "nothing"
            raise UsageError(f"{label!r} was not taught here, but {taught}: see `sorter teach --list`")
        return learn(self._bundle, left, self._relight) if left else None

    def _relight(self, examples: Sequence[Example], light: Light) -> list[Example]:
        return in_light(examples, light, self.network)

    def change(self, shown: Shown, lesson: Lesson | None) -> tuple[Edit, dict[str, bytes]]:
        """How the site file changes when the lesson is kept (None: nothing is left), and the parts that it needs.

        The lesson is one on top of what the site was `shown`: the edit raises TryAgainError where it was taught
        something else meanwhile.
        """
        head: HeadStep | None = None
        parts: dict[str, bytes] = {}
        if lesson is not None:
            head, parts = lesson.step(self._bundle, datetime.now(UTC).replace(microsecond=0))

        def edit(old: SiteDescription) -> SiteDescription:
            if old.head != shown.head:
                raise TryAgainError(
                    "somebody else taught this bin meanwhile; nothing was changed: teach this once more"
                )
            return old.model_copy(update={"head": head})

        return edit, parts

    def teach(self, name: str, items: Sequence[Image]) -> Lesson:
        """Teach a class with pictures (H, W, 3) uint8 RGB that an item fills each, and keep it without asking.

        Raises:
            UsageError: the name cannot be one, or there is no picture.
            TryAgainError: somebody else taught the site meanwhile.
            StorageError: it cannot be written; the old site holds.
        """
        (label,) = self.labels([name])
        if not items:
            raise UsageError(f"expected pictures of {label} to learn it from, found none")
        fresh = [example_of_crop(label, item, self.network) for item in items]
        shown = self.shown()
        lesson = self.learn(self.up_to_date(shown), fresh)
        self._folder.change(*self.change(shown, lesson))
        return lesson
