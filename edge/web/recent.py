"""Pictures of the last items, in memory only: for rehearsals, which leave nothing on the disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from edge.messages import Sight
from edge.preprocess import crop, square_around
from edge.records import DecisionRecord
from edge.web.jpeg import small_jpeg
from edge.web.window import SightSlot

# Some 10 kB each.
_NUM_KEPT = 300
_WIDTH_PX = 320


class RecentPictures:
    """The item of each of the last decisions; the loop's thread tells, any thread reads."""

    def __init__(self, sights: SightSlot) -> None:
        self._sights = sights
        self._jpegs: OrderedDict[str, bytes] = OrderedDict()

    def tell(self, record: DecisionRecord) -> None:
        """Keep the picture of the item that was just decided; about a millisecond."""
        sight = self._sight_of(record.decision.item_id)
        if sight is None:
            return
        image, box = sight.frame.image, sight.box or sight.presence.box
        if box is not None:
            image = crop(image, square_around(box, image.shape[1], image.shape[0]))
        self._jpegs[record.id] = small_jpeg(image, _WIDTH_PX)
        if len(self._jpegs) > _NUM_KEPT:
            self._jpegs.popitem(last=False)

    def find(self, record_id: str) -> bytes | None:
        return self._jpegs.get(record_id)

    def ids(self) -> Sequence[str]:
        return list(self._jpegs)[::-1]

    def _sight_of(self, item_id: int) -> Sight | None:
        """The newest sight in which that item was classified; the newest of all when it never was."""
        classified = self._sights.classified
        return classified if classified is not None and classified.item_id == item_id else self._sights.newest
