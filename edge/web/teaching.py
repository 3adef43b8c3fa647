"""The teach part: look at a thing a few times under the lid, give it a name, and the bin knows it."""

from __future__ import annotations

import asyncio
from collections import deque

from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.bundle import Label
from edge.errors import SorterError
from edge.messages import Image
from edge.preprocess import crop, square_around
from edge.web.bodies import read_form
from edge.web.jpeg import JPEG_TYPE, small_jpeg
from edge.web.window import SightSlot, Teacher
from edge.web.workers import Workers

# A few looks are what teaching needs; the newest stay.
MAX_LOOKS = 20
_THUMBNAIL_PX = 160


class TeachForm(BaseModel):
    """The name of what was looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Label


class TeachPart:
    """The addresses of the teach part; the looks are kept until they are taught or dropped."""

    def __init__(self, sights: SightSlot, teacher: Teacher, workers: Workers) -> None:
        self._sights = sights
        self._teacher = teacher
        self._workers = workers
        self._looks: deque[Image] = deque(maxlen=MAX_LOOKS)
        self._turn = asyncio.Lock()

    def routes(self) -> list[Route]:
        return [
            Route("/api/teach/look", self._look, methods=["POST"]),
            Route("/api/teach/drop", self._drop, methods=["POST"]),
            Route("/api/teach", self._teach, methods=["POST"]),
        ]

    async def _look(self, _request: Request) -> Response:
        """Keep what lies under the lid now; gives its picture."""
        sight = self._sights.newest
        if sight is None or sight.presence.box is None:
            raise HTTPException(409, "nothing lies there: put the thing in and look again")
        height, width = sight.frame.image.shape[:2]
        image = crop(sight.frame.image, square_around(sight.presence.box, width, height)).copy()
        self._looks.append(image)
        jpeg = await self._workers.do(small_jpeg, image, _THUMBNAIL_PX)
        return Response(jpeg, media_type=JPEG_TYPE, headers={"Sorter-Looks": str(len(self._looks))})

    async def _drop(self, _request: Request) -> Response:
        self._looks.clear()
        return Response(status_code=204)

    async def _teach(self, request: Request) -> Response:
        form = await read_form(request, TeachForm)
        if not self._looks:
            raise HTTPException(409, "nothing was looked at yet")
        async with self._turn:
            try:
                said = await self._workers.do(self._teacher.teach, form.label, tuple(self._looks))
            except SorterError as error:
                raise HTTPException(409, str(error)) from None
            self._looks.clear()
        return JSONResponse({"said": said})
