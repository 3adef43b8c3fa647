"""Items of this very bin that a person labelled, on the page or with `sorter correct`, as labelled pictures.

No pictures fit a bin better, and no sample is less fair: what a person looks at is what the bin was unsure of.
`Review.skew` says how far that goes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.scores.pictures import Picture
from edge.errors import MissingInputError
from edge.files.pictures import PictureReader, is_sure
from edge.journal import Entry, Filter, JournalReader
from edge.messages import Outcome
from edge.preprocess import decode_picture
from edge.web.folding import fingerprint, fold

# The reviewed items are held against so many of the latest; and so many are read at most, far beyond any ring.
NUM_LATEST, _MOST = 1000, 1_000_000
# Outcomes of one item that was judged: nothing can be learned from those of several, or of none.
_JUDGED = frozenset({Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.TIMEOUT})
# Shares of unsure items that differ by less are alike.
_ALIKE = 0.1


@dataclass(frozen=True, slots=True)
class ReviewedItem:
    """A decision that a person labelled, and whose picture is there; those of one `group` show the same thing."""

    record_id: str
    label: str
    group: str


@dataclass(frozen=True, slots=True)
class Review:
    """The reviewed items that can be used, and in sentences those that cannot.

    `unsure` and `unsure_of_all` are the shares, 0..1, of them and of the latest items that the bin was unsure of.
    """

    items: tuple[ReviewedItem, ...]
    left_out: tuple[str, ...]
    unsure: float
    unsure_of_all: float

    @property
    def skew(self) -> str | None:
        """What the choice of items does to the figures, in words; None where it was a fair one."""
        if abs(self.unsure - self.unsure_of_all) <= _ALIKE:
            return None
        told = f"The bin was unsure of {self.unsure:.0%} of these items, and of {self.unsure_of_all:.0%} of all lately"
        if self.unsure > self.unsure_of_all:
            return (
                f"{told}: these are the hard ones. It is right more often than the figures below say, and what is found"
                " here is too careful. Label some on the page of which it was sure as well."
            )
        return (
            f"{told}: these are the easy ones. It is right less often than the figures below say, and what is found"
            " here is too bold. Label on the page what it was unsure of as well."
        )


def read_review(journal: Path, pictures: PictureReader, labels: Sequence[str]) -> Review:
    """What a person labelled of the decisions in `journal`, with a class among `labels`.

    Raises:
        MissingInputError: there is no journal, or nothing in it is labelled.
        InvalidDataError: it is no journal, or of another version.
    """
    if not journal.is_file():
        raise MissingInputError(
            f"{journal}: expected the journal of this bin, found no file: a bin that runs writes one; name it in the"
            " configuration, or with --set journal.path=…"
        )
    with closing(JournalReader(journal)) as reader:
        labelled = reader.decisions(Filter(is_labelled=True), _MOST)
        latest = reader.decisions(limit=NUM_LATEST, newest_first=True)
    if not labelled:
        raise MissingInputError(
            f"{journal}: expected items that a person labelled, found none: label some in the review part of the page,"
            " or with `sorter correct ID LABEL`"
        )
    used, unused = _sorted_out(labelled, pictures, labels)
    group_of = {name: alike[0] for looks in used.values() for alike in fold(looks) for name in alike}
    items = [entry for entry in labelled if entry.id in group_of]
    return Review(
        tuple(ReviewedItem(entry.id, entry.corrected or "", group_of[entry.id]) for entry in items),
        tuple(f"{number} reviewed items left out: {reason}" for reason, number in unused.items()),
        _unsure(items),
        _unsure([entry for entry in latest if entry.outcome in _JUDGED]),
    )


def _sorted_out(
    labelled: Sequence[Entry], pictures: PictureReader, labels: Sequence[str]
) -> tuple[dict[str, dict[str, int]], Counter[str]]:
    """By label, the ids of the items that can be used with what each looks like; and how many cannot, by reason."""
    used: defaultdict[str, dict[str, int]] = defaultdict(dict)
    unused: Counter[str] = Counter()
    for entry in labelled:
        label = entry.corrected or ""
        if label not in labels:
            unused[f"this bin does not know {label}; `sorter teach` teaches it"] += 1
        elif entry.outcome not in _JUDGED:
            unused["they were several, or gone too early"] += 1
        elif (looks := _fingerprint(pictures, entry.id)) is None:
            unused["their pictures made room for newer ones"] += 1
        else:
            used[label][entry.id] = looks
    return used, unused


def pictures_of(
    review: Review, pictures: PictureReader, progress: Callable[[Sequence[ReviewedItem]], Iterable[ReviewedItem]] = iter
) -> Iterator[Picture]:
    """The items' pictures, cropped as the bin saw them; one that made room meanwhile is left out."""
    for item in progress(review.items):
        jpeg = pictures.find(item.record_id)
        image = None if jpeg is None else decode_picture(np.frombuffer(jpeg, np.uint8))
        if image is not None:
            yield Picture(f"{item.label}/{item.record_id}.jpg", item.label, item.group, image)


def _fingerprint(pictures: PictureReader, record_id: str) -> int | None:
    jpeg = pictures.find(record_id)
    return None if jpeg is None else fingerprint(jpeg)


def _unsure(entries: Sequence[Entry]) -> float:
    return sum(not _is_sure(entry) for entry in entries) / max(1, len(entries))


def _is_sure(entry: Entry) -> bool:
    return entry.outcome == Outcome.ACCEPTED and is_sure(entry.confidence, entry.margin)
