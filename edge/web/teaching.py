"""The teach part: look at a thing a few times under the lid, give it a name, and the bin knows it."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.bundle import Label
from edge.errors import SorterError
from edge.messages import Image, InputSpec
from edge.preprocess import to_input
from edge.web.bodies import read_form
from edge.web.jpeg import JPEG_TYPE, small_jpeg
from edge.web.window import SightSlot, Teacher
from edge.web.workers import Workers

# A few looks are what teaching needs; the newest stay, whoever they are of.
MAX_LOOKS = 20
_THUMBNAIL_PX = 160


class TeachForm(BaseModel):
    """The name of what was looked at, and the looks: each visitor has looked at something else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Label
    looks: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_LOOKS)]


class TeachPart:
    """The addresses of the teach part; the looks are kept until they are taught, or newer ones need their place."""

    def __init__(self, sights: SightSlot, spec: InputSpec, teacher: Teacher, workers: Workers) -> None:
        self._sights = sights
        self._spec = spec
        self._teacher = teacher
        self._workers = workers
        self._looks: dict[str, Image] = {}
        self._turn = asyncio.Lock()

    def routes(self) -> list[Route]:
        return [
            Route("/api/teach/look", self._look, methods=["POST"]),
            Route("/api/teach", self._teach, methods=["POST"]),
        ]

    async def _look(self, _request: Request) -> Response:
        """Keep what lies under the lid now; gives its picture, and the name to teach it by."""
        sight = self._sights.newest
        if self._sights.is_past:
            raise HTTPException(409, "the camera gives no picture now: look again when it does")
        if sight is None or sight.presence.box is None:
            raise HTTPException(409, "nothing lies there: put the thing in and look again")
        # At the network's size, as the lesson takes it: a few hundred kilobytes, and not the frame's megabytes.
        image = to_input(sight.frame.image, self._spec, sight.presence.box)
        name = self._keep(image)
        jpeg = await self._workers.do(small_jpeg, image, _THUMBNAIL_PX)
        return Response(jpeg, media_type=JPEG_TYPE, headers={"Sorter-Look": name})

    def _keep(self, image: Image) -> str:
        name = secrets.token_hex(8)
        self._looks[name] = image
        if len(self._looks) > MAX_LOOKS:
            del self._looks[next(iter(self._looks))]
        return name

    async def _teach(self, request: Request) -> Response:
        form = await read_form(request, TeachForm)
        async with self._turn:
            looks = tuple(self._looks[name] for name in form.looks if name in self._looks)
            if len(looks) < len(form.looks):
                raise HTTPException(409, "these looks are not kept any more: start over, and look again")
            try:
                said = await self._workers.do(self._teacher.teach, form.label, looks)
            except SorterError as error:
                raise HTTPException(409, str(error)) from None
            for name in form.looks:
                self._looks.pop(name, None)
        return JSONResponse({"said": said})
