"""Addresses of cameras and models, which may carry secrets."""

from __future__ import annotations

from urllib.parse import urlsplit


def without_secrets(url: str) -> str:
    """The address as it may stand in a log: without user, password and query.

    What stands before an @ further on may be a password with a / in it.

    >>> without_secrets("rtsp://bin:secret@10.0.0.7:554/main?token=abc")
    'rtsp://10.0.0.7:554/main'
    >>> without_secrets("rtsp://bin:sec/ret@10.0.0.7:554/main")
    'rtsp://…'
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if "@" in url.removeprefix(f"{parts.scheme}://{parts.netloc}"):
        return f"{parts.scheme}://…"
    return f"{parts.scheme}://{host}{parts.path}"
