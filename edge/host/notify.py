"""Telling systemd how the service is, over its notify socket (sd_notify(3)).

Fifteen lines instead of a binding: a checkout's own folder `systemd/` would shadow that module's name.
"""

from __future__ import annotations

import os
import socket


def is_supervised() -> bool:
    """Whether a service manager has started this process, and nobody looks on."""
    return os.environ.get("NOTIFY_SOCKET", "").startswith(("/", "@"))


def notify(state: str) -> bool:
    """Send `state`, such as READY=1 or WATCHDOG=1; False where no service manager listens.

    Never blocks and never raises: a service manager that is gone is no reason to stop sorting.
    """
    if not is_supervised():
        return False
    address = os.environ["NOTIFY_SOCKET"]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as channel:
            # A name that begins with @ lives in the abstract namespace, whose first byte is zero.
            channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
    except OSError:
        return False
    return True
