"""A real web server on loopback with one file, whose connections break after as many bytes as a test says."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Site:
    """What the server has and how it behaves; `breaks_after` is used up, one number a request."""

    content: bytes
    address: str = ""
    etag: str | None = '"first"'
    knows_ranges: bool = True
    breaks_after: list[int] = field(default_factory=list)
    requested: list[str | None] = field(default_factory=list)
    num_sent: int = 0

    def part_for(self, asked: str | None, condition: str | None) -> tuple[int, bool]:
        """Where the answer begins, and whether it is a part; RFC 9110, 14.2."""
        if asked is None or not self.knows_ranges or condition != self.etag:
            return 0, False
        return int(asked.removeprefix("bytes=").removesuffix("-")), True


@contextmanager
def serving(content: bytes, tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """The server, until the block ends. With `tls`, a connection that breaks sends what is no TLS as its last."""
    site = Site(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            site.requested.append(asked)
            begins_at, is_part = site.part_for(asked, self.headers["If-Range"])
            if begins_at >= len(site.content):
                self.send_error(416)
                return
            body = site.content[begins_at:]
            self.send_response(206 if is_part else 200)
            if is_part:
                self.send_header("Content-Range", f"bytes {begins_at}-{len(site.content) - 1}/{len(site.content)}")
            if site.etag is not None:
                self.send_header("ETag", site.etag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            is_broken = bool(site.breaks_after)
            body = body[: site.breaks_after.pop(0)] if is_broken else body
            site.num_sent += len(body)
            self.wfile.write(body)
            if is_broken and tls is not None:
                os.write(self.connection.fileno(), bytes(64))

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    site.address = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}/model.zip"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
