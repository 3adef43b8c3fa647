"""A disk that forgets what was not flushed: what a power cut does to an SD card, or worse.

Killing QEMU alone drops the guest's page cache, but keeps whatever the guest has sent to its disk, flushed
or not. This disk speaks NBD and holds writes in a volatile cache until the guest flushes. When the power is
cut, each write in the cache is kept or lost by chance, in no order: what a program did not sync it may find
there, gone, or half.

Protocol: NetworkBlockDevice/nbd, doc/proto.md, fixed newstyle negotiation, simple replies.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from random import Random
from threading import Thread

_OPTION_MAGIC = b"IHAVEOPT"
_OPTION_REPLY_MAGIC = 0x3E889045565A9
_REQUEST_MAGIC, _REPLY_MAGIC = 0x25609513, 0x67446698
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_HAS_FLAGS, _SEND_FLUSH = 1, 4
_EXPORT_NAME, _ABORT, _GO = 1, 2, 7
_ACK, _INFO, _UNSUPPORTED = 1, 3, 0x80000001
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3

_OPTION = struct.Struct(">8sII")
_OPTION_REPLY = struct.Struct(">QIII")
_REQUEST = struct.Struct(">IHHQQI")
_REPLY = struct.Struct(">IIQ")


class ForgetfulDisk:
    """`content` is what it holds at first; a whole number of 512 byte sectors."""

    def __init__(self, content: bytes) -> None:
        self._seen = bytearray(content)
        self._durable = bytearray(content)
        self._unflushed: list[tuple[int, bytes]] = []
        self._thread: Thread | None = None

    def plug(self, path: Path) -> None:
        """Listen at a socket for the one machine that this disk is plugged into."""
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen(1)
        self._thread = Thread(target=self._serve, args=(listening,), name="disk", daemon=True)
        self._thread.start()

    def cut(self, chance: Random) -> tuple[int, int]:
        """After the machine was killed: forget by chance. How many writes were in the cache, and how many are lost."""
        if self._thread is not None:
            self._thread.join(timeout=10.0)
        kept = [write for write in self._unflushed if chance.random() < 0.5]
        for offset, content in kept:
            self._durable[offset : offset + len(content)] = content
        num_unflushed = len(self._unflushed)
        self._unflushed.clear()
        self._seen[:] = self._durable
        return num_unflushed, num_unflushed - len(kept)

    def _serve(self, listening: socket.socket) -> None:
        with listening:
            connection, _ = listening.accept()
        with connection:
            try:
                if self._negotiate(connection):
                    while self._answer(connection):
                        pass
            except (ConnectionError, EOFError):
                return

    def _negotiate(self, connection: socket.socket) -> bool:
        """Whether requests follow."""
        connection.sendall(b"NBDMAGIC" + _OPTION_MAGIC + struct.pack(">H", _FIXED_NEWSTYLE | _NO_ZEROES))
        _receive(connection, 4)
        export = struct.pack(">QH", len(self._seen), _HAS_FLAGS | _SEND_FLUSH)
        while True:
            _, option, length = _OPTION.unpack(_receive(connection, _OPTION.size))
            _receive(connection, length)
            match option:
                case _ if option == _EXPORT_NAME:
                    connection.sendall(export)
                    return True
                case _ if option == _GO:
                    info = struct.pack(">H", 0) + export
                    connection.sendall(_OPTION_REPLY.pack(_OPTION_REPLY_MAGIC, option, _INFO, len(info)) + info)
                    connection.sendall(_OPTION_REPLY.pack(_OPTION_REPLY_MAGIC, option, _ACK, 0))
                    return True
                case _ if option == _ABORT:
                    return False
                case _:
                    connection.sendall(_OPTION_REPLY.pack(_OPTION_REPLY_MAGIC, option, _UNSUPPORTED, 0))

    def _answer(self, connection: socket.socket) -> bool:
        """One request; False when it was the last."""
        magic, _, kind, handle, offset, length = _REQUEST.unpack(_receive(connection, _REQUEST.size))
        assert magic == _REQUEST_MAGIC
        content = b""
        if kind == _READ:
            content = bytes(self._seen[offset : offset + length])
        elif kind == _WRITE:
            written = _receive(connection, length)
            self._seen[offset : offset + length] = written
            self._unflushed.append((offset, written))
        elif kind == _FLUSH:
            self._flush()
        elif kind == _DISCONNECT:
            return False
        connection.sendall(_REPLY.pack(_REPLY_MAGIC, 0, handle) + content)
        return True

    def _flush(self) -> None:
        for offset, content in self._unflushed:
            self._durable[offset : offset + len(content)] = content
        self._unflushed.clear()


def _receive(connection: socket.socket, length: int) -> bytes:
    content = bytearray()
    while len(content) < length:
        part = connection.recv(length - len(content))
        if not part:
            raise EOFError
        content += part
    return bytes(content)
