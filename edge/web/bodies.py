"""Reading what a visitor sends, within bounds."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from edge.errors import first_problem

_MAX_JSON_BYTES = 16 * 1024

Form = TypeVar("Form", bound=BaseModel)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body; larger ones end in 413, before they are read where they declare it."""
    if int(request.headers.get("content-length", "0")) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise _too_large(max_bytes)
    except ClientDisconnect:
        raise HTTPException(400, "the request broke off") from None
    return bytes(body)


async def read_form(request: Request, form: type[Form]) -> Form:
    """The body as JSON of this form; anything else ends in 400."""
    body = await read_body(request, _MAX_JSON_BYTES)
    try:
        return form.model_validate_json(body)
    except ValidationError as invalid:
        raise HTTPException(400, first_problem(invalid, "the request")) from None


def _too_large(max_bytes: int) -> HTTPException:
    return HTTPException(413, f"expected at most {max_bytes} bytes")
