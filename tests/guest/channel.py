"""JSON questions and answers over a socket, as QEMU's monitor and the agent in a guest speak them."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

_CONNECT_S = 20.0
_POLL_S = 0.05


class Channel:
    """Open until closed; `timeout_s` bounds each answer.

    https://www.qemu.org/docs/master/interop/qmp-spec.html and qemu-ga-ref.html
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._socket = _connected(path)
        self._socket.settimeout(timeout_s)
        self._lines = self._socket.makefile("r", encoding="utf-8")

    def ask(self, question: str, **arguments: object) -> Any:
        """What the other side returns; names with a dash are written with an underscore."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        self._socket.sendall(json.dumps({"execute": question, "arguments": named}).encode() + b"\n")
        for line in self._lines:
            answer = json.loads(line)
            if "error" in answer:
                raise AssertionError(f"{question}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise EOFError(f"{question}: the machine has ended")

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()


def _connected(path: Path) -> socket.socket:
    ends_at_s = time.monotonic() + _CONNECT_S
    while True:
        connecting = socket.socket(socket.AF_UNIX)
        try:
            connecting.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connecting.close()
            if time.monotonic() > ends_at_s:
                raise
            time.sleep(_POLL_S)
        else:
            return connecting
