"""Who may look: the token, the cookie that stands for it, and names under which the page may be asked for."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from edge.errors import AccessDeniedError, ConfigError, StorageError
from edge.files.whole_file import replacing

# Shorter ones can be guessed, even by a patient guesser who is slowed down.
_MIN_TOKEN_LENGTH = 16
_NAME_DIGITS = 8  # enough to tell the bins of one host apart
_TOKEN_BYTES = 24

# Wrong tokens from one address before it must wait, and for how long.
MAX_WRONG = 5
WAIT_S = 60.0
_MAX_REMEMBERED = 1024


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keep_token(path: Path) -> str:
    """The token in file `path`; where there is none, a new one is made that only its owner may read.

    Raises:
        ConfigError: the file holds something too short to be a token.
        AccessDeniedError, StorageError: it cannot be read or made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            # An empty one is what a power cut can leave.
            if token := path.read_text(encoding="ascii", errors="replace").strip():
                path.chmod(0o600)
                if len(token) < _MIN_TOKEN_LENGTH:
                    raise ConfigError(f"{path}: expected at least {_MIN_TOKEN_LENGTH} characters, found {len(token)}")
                return token
            path.unlink()
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with replacing(path) as unfinished:
            unfinished.touch(0o600)
            unfinished.write_text(token + "\n", encoding="ascii")
    except PermissionError as error:
        raise AccessDeniedError(
            f"{path}: this user may not read or write the page's token: delete it, or give it to the bin's user"
        ) from error
    except OSError as error:
        raise StorageError(f"{path}: the page's token cannot be kept: {error.strerror}") from error
    return token


class Access:
    """Decides who may look; `token` None admits everyone who reaches the page. For one thread.

    `hosts` are further names of this machine. Any numeric address, localhost and the machine's own name are
    admitted besides: an attacker who points a name of his at this machine (DNS rebinding) has none of them.
    """

    def __init__(self, token: str | None, hosts: Collection[str] = ()) -> None:
        self._token = None if token is None else token.encode()
        name = socket.gethostname().lower()
        self._hosts = {"localhost", name, f"{name.split('.')[0]}.local", *(host.lower() for host in hosts)}
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def needs_token(self) -> bool:
        """Whether a visitor has to show one."""
        return self._token is not None

    def admits_host(self, host_header: str) -> bool:
        """Whether the page may be asked for under this name; the port does not matter."""
        if host_header.startswith("["):
            host = host_header[1:].partition("]")[0]
        else:
            host = host_header.rpartition(":")[0] if ":" in host_header else host_header
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return host.lower() in self._hosts
        return True

    def must_wait(self, peer: str, now_s: float) -> bool:
        """Whether `peer` has shown too many wrong tokens lately."""
        num_wrong, last_s = self._wrong.get(peer, (0, 0.0))
        return num_wrong >= MAX_WRONG and now_s - last_s < WAIT_S

    def accepts_token(self, shown: str, peer: str, now_s: float) -> bool:
        """Whether `shown` is the token; in constant time, and a wrong one is remembered against `peer`."""
        if self._token is None or hmac.compare_digest(shown.encode(errors="replace"), self._token):
            self._wrong.pop(peer, None)
            return True
        num_wrong, last_s = self._wrong.pop(peer, (0, now_s))
        # Whoever waited begins anew, with one wrong guess.
        self._wrong[peer] = (1 if now_s - last_s >= WAIT_S else num_wrong + 1, now_s)
        if len(self._wrong) > _MAX_REMEMBERED:
            self._wrong.popitem(last=False)
        return False

    @property
    def cookie(self) -> str:
        """What a browser keeps in place of the token, and cannot turn back into it."""
        return self._derived(b"sorter page session")

    @property
    def cookie_name(self) -> str:
        """This bin's own: browsers show a cookie to every port of a host, and two bins may be there."""
        return f"sorter_page_{self._derived(b'sorter page name')[:_NAME_DIGITS]}"

    def _derived(self, purpose: bytes) -> str:
        return hmac.new(self._token or b"", purpose, hashlib.sha256).hexdigest()

    def accepts_cookie(self, shown: str) -> bool:
        """Whether `shown` is the cookie; in constant time. With 256 bits it needs no counting of guesses."""
        return hmac.compare_digest(shown.encode(errors="replace"), self.cookie.encode())
