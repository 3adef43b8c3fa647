"""The page's server: one thread, one socket, and never in the loop's way."""

from __future__ import annotations

import asyncio
import logging
import threading
from functools import partial
from typing import cast

import uvicorn

from edge.web.access import Access
from edge.web.app import build_app
from edge.web.connections import BoundedConnection
from edge.web.listening import listen_at
from edge.web.settings import PageSettings
from edge.web.window import Window
from edge.web.workers import Workers

log = logging.getLogger(__name__)

_KEEP_ALIVE_S = 15
_FAREWELL_S = 1


class PageServer:
    """Serves the page from a thread of its own, from `start` to `stop`.

    Raises:
        UnavailableError: the port is taken, or nobody knows the host.
        AccessDeniedError: the port is one that this user may not take.
    """

    def __init__(self, settings: PageSettings, window: Window) -> None:
        self._socket = listen_at(settings.host, settings.port, is_patient=True)
        self._workers = Workers()
        self._is_over = threading.Event()
        access = Access(settings.token, settings.hosts)
        connection = partial(BoundedConnection, patience_s=settings.patience_s, answer_s=settings.answer_s)
        self._server = uvicorn.Server(
            uvicorn.Config(
                build_app(window, access, self._workers, self._is_over.is_set),
                loop="asyncio",
                http=cast("type[asyncio.Protocol]", connection),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                # Nobody's word is taken for where a visitor comes from.
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_FAREWELL_S,
            )
        )
        # Each malformed request is a warning to uvicorn; a stranger must not fill the log.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="page", daemon=True
        )

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the page."""
        host, port = self._socket.getsockname()[:2]
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
        return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"

    def start(self) -> None:
        """Begin to answer; connections are taken already."""
        self._thread.start()
        log.info("the page is at %s", self.address)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Take leave of the visitors and end the threads."""
        self._is_over.set()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.error("the page's thread did not end within %.1f s", timeout_s)
        self._socket.close()
        self._workers.close()
