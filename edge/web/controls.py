"""What may be changed from the page while the bin runs: the same as over MQTT, and by the same way."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.publishers.commands import RemoteCommand, SetEnabled, SetUnknownThreshold
from edge.web.bodies import read_form
from edge.web.window import Controls


class ControlForm(BaseModel):
    """One wish: sort or only watch, or the confidence, 0..1, below which an item is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    enabled: bool | None = None
    unknown_threshold: float | None = Field(default=None, ge=0.0, le=1.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_one_wish(self) -> ControlForm:
        if (self.enabled is None) == (self.unknown_threshold is None):
            raise ValueError("expected either enabled or unknown_threshold")
        return self

    def command(self) -> RemoteCommand:
        """What the loop is to obey."""
        if self.enabled is not None:
            return SetEnabled(self.enabled)
        return SetUnknownThreshold(self.unknown_threshold or 0.0)


class ControlPart:
    """The address of the controls; what was asked for shows in `/api/now` once the loop has obeyed."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def routes(self) -> list[Route]:
        return [Route("/api/controls", self._ask, methods=["POST"])]

    async def _ask(self, request: Request) -> Response:
        form = await read_form(request, ControlForm)
        if not self._controls.ask(form.command()):
            raise HTTPException(503, "the bin is busy: try again in a moment", {"Retry-After": "1"})
        return Response(status_code=202)
