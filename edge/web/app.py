"""The page as an ASGI application: its parts, its files and its door."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from edge.errors import SorterError
from edge.web.access import Access
from edge.web.bodies import read_form
from edge.web.controls import ControlPart
from edge.web.guard import Guard, check_token, peer_of
from edge.web.live import LiveFeed, LivePart
from edge.web.metrics import MetricsPart
from edge.web.review import ReviewPart
from edge.web.said import Said
from edge.web.teaching import TeachPart
from edge.web.trying import TryPart
from edge.web.window import Window
from edge.web.workers import Workers

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_SESSION_S = 365 * 24 * 3600


class TokenForm(BaseModel):
    """What a visitor shows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: str = Field(max_length=256, repr=False)


def build_app(window: Window, access: Access, workers: Workers, is_over: Callable[[], bool]) -> Starlette:
    """The page over what `window` shows. For one event loop.

    Once `is_over`, no request waits for news any longer.
    """
    now_s = time.monotonic
    routes = [*_own_routes(window, access), *TryPart(window.open_classifier, workers).routes()]
    if (work := window.work) is not None:
        feed = LiveFeed(work.sights, window.labels, workers, now_s, is_over)
        said = Said()
        routes += LivePart(work, feed, said, workers).routes()
        routes += MetricsPart(window, work, lambda: feed.num_watchers, workers).routes()
        if work.pictures is not None:
            routes += ReviewPart(work.journal, work.pictures, said, workers).routes()
        if work.controls is not None:
            routes += ControlPart(work.controls).routes()
        if work.teacher is not None:
            routes += TeachPart(work.sights, window.input_spec, work.teacher, workers).routes()
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, access=access, now_s=now_s)],
        exception_handlers={HTTPException: _told, SorterError: _troubled},
    )


def _own_routes(window: Window, access: Access) -> list[Route]:
    """The page's files, who it is about, and how a token becomes a cookie."""
    shown = _files()

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in shown:
            raise HTTPException(404, "there is no such page")
        content, content_type = shown[name]
        return Response(content, headers={"Content-Type": content_type, "Cache-Control": "no-cache"})

    async def session(request: Request) -> Response:
        if request.method == "DELETE":
            answer = Response(status_code=204)
            answer.delete_cookie(access.cookie_name, httponly=True, samesite="strict")
            return answer
        form = await read_form(request, TokenForm)
        refusal = check_token(access, form.token.strip(), peer_of(request), time.monotonic())
        if refusal is not None:
            return refusal
        answer = Response(status_code=204)
        answer.set_cookie(
            access.cookie_name,
            access.cookie,
            _SESSION_S,
            httponly=True,
            samesite="strict",
            # A proxy speaks TLS, not this server: the browser says how it came.
            secure=request.headers.get("origin", "").startswith("https:"),
        )
        return answer

    return [
        Route("/", page),
        Route("/page/{name:str}", page),
        Route("/api/session", session, methods=["POST", "DELETE"]),
        Route("/api/about", partial(_about, window, access)),
        Route("/favicon.ico", lambda _: RedirectResponse("/page/icon.svg", 308)),
    ]


async def _about(window: Window, access: Access, _request: Request) -> Response:
    """Who this is about; with another `began_s` all of it may be another."""
    work = window.work
    parts = {
        "live": work is not None,
        "review": work is not None and work.pictures is not None,
        "try": True,
        "teach": work is not None and work.teacher is not None,
    }
    return JSONResponse(
        {
            "name": window.name,
            "model": window.model,
            "site": window.site,
            "labels": window.labels,
            "parts": parts,
            "version": version("edge-sorter"),
            "is_locked": access.needs_token,
            "began_s": None if work is None else work.tally.began_s,
        }
    )


async def _told(_request: Request, error: Exception) -> Response:
    """An error as JSON with its reason."""
    if not isinstance(error, HTTPException):
        raise TypeError(f"expected an HTTPException, found {type(error).__name__}")
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _troubled(_request: Request, error: Exception) -> Response:
    """What the bin itself cannot do now, such as read its journal: no bug of the page's, and worth another try."""
    return JSONResponse({"error": str(error)}, 503, {"Retry-After": "5"})


def _files() -> Mapping[str, tuple[bytes, str]]:
    """The page's files by name, read once: what a visitor asks for never becomes a path."""
    folder = files("edge.web") / "page"
    return {
        file.name: (file.read_bytes(), _TYPES[file.name.rpartition(".")[2]])
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in _TYPES
    }
