"""The review part: what the bin was unsure of, labelled by a person, and taken home to train on."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from edge.bundle import Label
from edge.files.pictures import is_sure
from edge.journal import Entry, Filter
from edge.messages import Outcome
from edge.web.bodies import read_form
from edge.web.export import Reviewed, data_folder_zip
from edge.web.folding import fingerprint, fold
from edge.web.said import Said, Word
from edge.web.window import Decisions, ItemPictures
from edge.web.workers import Workers

# More than one sits down to label at a time; chosen among so many of the newest decisions, some days of a busy bin.
_MAX_SHOWN, _MAX_LOOKED_AT = 600, 5000
# Labelled ones that go home at once, the newest: to fold more would take minutes.
_MAX_EXPORTED = 10_000


class Why(StrEnum):
    """Why an item is shown."""

    UNKNOWN = "unknown"
    UNSURE = "unsure"
    WRONG = "wrong"
    LABELLED = "labelled"
    SURE = "sure"


class LabelForm(BaseModel):
    """What a person says of one fold; without a label: it was wrong, whatever it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,40}$")], ...] = Field(
        min_length=1, max_length=500
    )
    label: Label | None


@dataclass(frozen=True, slots=True)
class Fold:
    """Alike pictures, newest first; the first stands for all."""

    entries: tuple[Entry, ...]

    def as_json(self) -> dict[str, object]:
        """What the page needs to show and to label it."""
        lead = self.entries[0]
        record = json.loads(lead.record)
        return {
            "ids": [entry.id for entry in self.entries],
            "why": why(lead).value,
            "label": lead.corrected,
            **{key: record[key] for key in ("ts", "outcome", "confidence", "reason", "scores")},
            "guess": lead.label,
        }


def why(entry: Entry) -> Why:
    """Why this decision is worth a person's look."""
    if entry.corrected is not None:
        return Why.LABELLED
    if entry.is_wrong:
        return Why.WRONG
    if entry.outcome in (Outcome.UNKNOWN, Outcome.TIMEOUT):
        return Why.UNKNOWN
    return Why.SURE if is_sure(entry.confidence, entry.margin) else Why.UNSURE


class Folding:
    """Folds alike pictures; remembers the fingerprint of each. For any thread."""

    def __init__(self, journal: Decisions, pictures: ItemPictures) -> None:
        self._journal = journal
        self._pictures = pictures
        self._lock = threading.Lock()
        self._fingerprints: dict[str, int | None] = {}

    def folds(self) -> list[Fold]:
        """The newest items that have a picture, alike ones together; those that a person told apart stay apart.

        Where there are too many, the sure ones are left out first.
        """
        kept = self._pictures.ids()
        with_picture = set(kept)
        newest = self._journal.decisions(limit=_MAX_LOOKED_AT, newest_first=True)
        found = sorted((entry for entry in newest if entry.id in with_picture), key=lambda one: why(one) is Why.SURE)
        return self._folded(found[:_MAX_SHOWN], kept)

    def labelled(self) -> list[Fold]:
        """All items that a person labelled, as far as their pictures are kept."""
        kept = self._pictures.ids()
        found = self._journal.decisions(Filter(is_labelled=True), _MAX_EXPORTED, newest_first=True)
        return self._folded(found, kept)

    def has_labelled(self) -> bool:
        """Whether there is anything to take home."""
        kept = set(self._pictures.ids())
        found = self._journal.decisions(Filter(is_labelled=True), _MAX_EXPORTED, newest_first=True)
        return any(entry.id in kept for entry in found)

    def _folded(self, found: Sequence[Entry], kept: Sequence[str]) -> list[Fold]:
        """Those of `found` whose pictures are `kept`."""
        with_picture = set(kept)
        entries = {entry.id: entry for entry in found if entry.id in with_picture}
        with self._lock:
            known = {record_id: bits for record_id, bits in self._fingerprints.items() if record_id in with_picture}
            self._fingerprints = known | {record_id: self._fingerprint(record_id) for record_id in entries}
            prints = {record_id: bits for record_id in entries if (bits := self._fingerprints[record_id]) is not None}
        by_word: dict[tuple[Why, str | None], dict[str, int]] = {}
        for record_id, bits in prints.items():
            entry = entries[record_id]
            by_word.setdefault((why(entry), entry.corrected), {})[record_id] = bits
        folds = [Fold(tuple(entries[name] for name in names)) for alike in by_word.values() for names in fold(alike)]
        return sorted(folds, key=lambda one: -one.entries[0].seq)

    def _fingerprint(self, record_id: str) -> int | None:
        if record_id in self._fingerprints:
            return self._fingerprints[record_id]
        jpeg = self._pictures.find(record_id)
        return None if jpeg is None else fingerprint(jpeg)


class ReviewPart:
    """The addresses of the review part."""

    def __init__(self, journal: Decisions, pictures: ItemPictures, said: Said, workers: Workers) -> None:
        self._journal = journal
        self._pictures = pictures
        self._said = said
        self._workers = workers
        self._folding = Folding(journal, pictures)

    def routes(self) -> list[Route]:
        return [
            Route("/api/review", self._list),
            Route("/api/review/label", self._label, methods=["POST"]),
            Route("/api/export.zip", self._export),
        ]

    async def _list(self, _request: Request) -> Response:
        num_said, _ = self._said.after(-1)  # before the journal is read: what is said meanwhile is told twice, not lost
        folds = await self._workers.do(self._folding.folds)
        has_labelled = await self._workers.do(self._folding.has_labelled)
        told = [one.as_json() for one in folds]
        return JSONResponse({"folds": told, "has_labelled": has_labelled, "num_said": num_said})

    async def _label(self, request: Request) -> Response:
        form = await read_form(request, LabelForm)
        if not await self._workers.do(self._correct, form):
            raise HTTPException(404, "the journal does not hold these decisions any more")
        return Response(status_code=204)

    def _correct(self, form: LabelForm) -> bool:
        is_known = [self._journal.find(record_id) is not None for record_id in form.ids]
        if all(is_known):
            entries = [self._journal.correct(record_id, form.label) for record_id in form.ids]
            self._said.add(Word(entry.id, entry.corrected) for entry in entries)
        return all(is_known)

    async def _export(self, _request: Request) -> Response:
        folds = await self._workers.do(self._folding.labelled)
        reviewed = [
            Reviewed(entry.id, entry.corrected, group=one.entries[0].id)
            for one in folds
            for entry in one.entries
            if entry.corrected is not None
        ]
        if not reviewed:
            raise HTTPException(404, "nothing is labelled yet")
        headers = {"Content-Disposition": 'attachment; filename="reviewed.zip"'}
        return StreamingResponse(
            self._workers.stream(data_folder_zip(reviewed, self._pictures.find)), 200, headers, "application/zip"
        )
