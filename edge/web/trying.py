"""The try part: a picture of the visitor's own, what the network says of it, and what it looked at."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from edge.classifiers.base import Classifier
from edge.errors import PictureError
from edge.messages import Image
from edge.preprocess import to_input
from edge.web.bodies import read_body
from edge.web.occlusion import NUM_CELLS, heat_rows
from edge.web.uploads import MAX_UPLOAD_BYTES, open_upload
from edge.web.workers import Workers

# Pictures that may be on their way or wait for their turn; each is in memory, as it was sent.
_MAX_WAITING = 4


class TryPart:
    """The address of the try part. One picture at a time; the classifier is made when the first one comes."""

    def __init__(self, open_classifier: Callable[[], Classifier], workers: Workers) -> None:
        self._open_classifier = open_classifier
        self._workers = workers
        self._turn = asyncio.Lock()
        self._num_waiting = 0
        # An interpreter serves one thread at a time, also when a visitor leaves in the middle of a row.
        self._using = threading.Lock()
        self._classifier: Classifier | None = None

    def routes(self) -> list[Route]:
        return [Route("/api/try", self._try, methods=["POST"])]

    async def _try(self, request: Request) -> Response:
        """The scores at once, then the heat map row by row, as lines of JSON; 422 for what is no picture."""
        if self._num_waiting >= _MAX_WAITING:
            raise HTTPException(503, "others are trying pictures: wait a moment", {"Retry-After": "5"})
        self._num_waiting += 1  # before the body is read: a crowd must not fill the memory with theirs
        try:
            encoded = await read_body(request, MAX_UPLOAD_BYTES)
            async with self._turn:
                picture = await self._workers.do(self._open, encoded)
        except PictureError as error:
            raise HTTPException(422, str(error)) from None
        finally:
            self._num_waiting -= 1
        return StreamingResponse(self._answer(picture), media_type="application/x-ndjson")

    def _open(self, encoded: bytes) -> Image:
        """The picture as the classifier takes it; one at a time, since it may be large before it is small."""
        image = open_upload(encoded)
        with self._using:
            return to_input(image, self._ready().input_spec)

    def _ready(self) -> Classifier:
        self._classifier = self._classifier or self._open_classifier()
        return self._classifier

    async def _answer(self, picture: Image) -> AsyncIterator[str]:
        async with self._turn:
            async for line in self._workers.stream(self._lines(picture)):
                yield line

    def _lines(self, picture: Image) -> Iterator[str]:
        with self._using:
            classifier = self._ready()
            prediction = classifier.classify(picture)
        scores = dict(zip(classifier.labels, map(float, prediction.scores), strict=True))
        yield _line({"scores": scores, "invoke_ms": prediction.invoke_s * 1000, "num_rows": NUM_CELLS})
        rows = heat_rows(picture, classifier)
        for _ in range(NUM_CELLS):
            with self._using:
                row = next(rows)
            by_label = dict(zip(classifier.labels, row.T.astype(float).round(3).tolist(), strict=True))
            yield _line({"heat": by_label})


def _line(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":")) + "\n"
