"""The door: every request passes here before anything of the bin is touched, and every answer on its way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.web.access import Access
from edge.web.uploads import MAX_UPLOAD_BYTES

# What needs no token: the page itself, which holds nothing of the bin, and the way to show a token.
_PUBLIC = ("/page/",)
_PUBLIC_PATHS = frozenset({"/", "/api/session"})

_HEADERS: Mapping[str, str] = {
    # Nothing but what this server sends; pictures also from memory (blob:), where the page puts dropped ones.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware: host, origin and token are checked, strict headers are added."""

    def __init__(self, app: ASGIApp, access: Access, now_s: Callable[[], float]) -> None:
        self._app = app
        self._access = access
        self._now_s = now_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # lifespan is off, and WebSocket is not spoken
        refusal = self._refusal(Request(scope))
        answer: ASGIApp = self._app if refusal is None else refusal
        await answer(scope, receive, _with_headers(send, may_go_on=scope["method"] in ("GET", "HEAD")))

    def _refusal(self, request: Request) -> Response | None:
        """Why this request is not let in; None when it is."""
        if not self._access.admits_host(request.headers.get("host", "")):
            return refuse(421, "this page does not go by that name: use its address, or add the name to web.hosts")
        if int(request.headers.get("content-length", "0")) > MAX_UPLOAD_BYTES:
            return refuse(413, f"expected at most {MAX_UPLOAD_BYTES} bytes")
        if not _is_from_here(request):
            return refuse(403, "another site may not ask this page for anything")
        path = request.scope["path"]
        if path in _PUBLIC_PATHS or path.startswith(_PUBLIC) or not self._access.needs_token:
            return None
        return self._check_visitor(request)

    def _check_visitor(self, request: Request) -> Response | None:
        if self._access.accepts_cookie(request.cookies.get(self._access.cookie_name, "")):
            return None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return refuse(401, "show the page's token first", {"WWW-Authenticate": "Bearer"})
        return check_token(self._access, token.strip(), peer_of(request), self._now_s())


def check_token(access: Access, token: str, peer: str, now_s: float) -> Response | None:
    """The refusal of a visitor with this token; None when it is the right one."""
    if access.must_wait(peer, now_s):
        return refuse(429, "too many wrong tokens: wait a minute", {"Retry-After": "60"})
    if not access.accepts_token(token, peer, now_s):
        return refuse(401, "this is not the page's token", {"WWW-Authenticate": "Bearer"})
    return None


def refuse(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal with its reason; the connection ends, so that an unread body is not waited for."""
    return JSONResponse({"error": reason}, status, {"Connection": "close", **(headers or {})})


def peer_of(request: HTTPConnection) -> str:
    """The address that a visitor comes from."""
    return "" if request.client is None else request.client.host


def _is_from_here(request: Request) -> bool:
    """Whether the page itself asks, or a program: browsers tell, and other pages cannot forge it."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        # Following a link from elsewhere to the page itself is no request for anything of the bin.
        return request.method == "GET" and request.scope["path"] == "/"
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host", "")


def _with_headers(send: Send, *, may_go_on: bool) -> Send:
    """`send` that adds the strict headers; after a refusal the connection ends unless it `may_go_on`."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, text in _HEADERS.items():
                headers.setdefault(name, text)
            if not may_go_on and message["status"] >= 400:
                headers["Connection"] = "close"  # what is still to come of the body is not waited for
        await send(message)

    return send_with_headers
