"""One HTTP POST for each decision, in order, tried again until the server takes it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from edge.errors import ConfigError, MissingInputError, UnavailableError
from edge.journal import Entry, Outbox
from edge.publishers.outlet import Outlet
from edge.publishers.retry import RefusedError, RetrySettings

# Connecting, sending, answering.
_NUM_PIECES = 3
# What says that this decision is at fault, and not the address, who asks, or the server.
_REFUSALS = frozenset({http.client.BAD_REQUEST, http.client.REQUEST_ENTITY_TOO_LARGE, http.client.UNPROCESSABLE_ENTITY})
# What nobody mends but the owner. Where a redirect leads to may hold a secret, as the path may.
_ADVICE: Mapping[int, str] = {
    **dict.fromkeys((301, 302, 303, 307, 308), "; redirects are not followed: set webhook.url to where it leads"),
    **dict.fromkeys((401, 403), "; check webhook.token, or user and password in webhook.url"),
    **dict.fromkeys((404, 405, 410), "; check the path in webhook.url"),
}


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where to POST; `token` goes into the Authorization header as a bearer token, `user:password@` of `url` as Basic.

    `ca_file` checks an https server against that certificate instead of the system's. `timeout_s`
    bounds each of connecting, sending and answering.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout_s: float = 10.0
    retry: RetrySettings = field(default_factory=RetrySettings)


class WebhookPublisher(Outlet):
    """A Publisher to one address. Any answer of 2xx is a receipt; everything else is tried again.

    A decision that gets 400, 413 or 422 is left out once the server takes a later one. Redirects are
    not followed: a decision goes to the host that the owner named, or nowhere. The record's id is sent
    as Idempotency-Key, so that a server can fold the rare repeat.

    Raises:
        ConfigError: the address is not http or https, or the certificate cannot be used.
        MissingInputError: the certificate is not there.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        outbox: Outbox,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self._settings = settings
        self._address, self._tls = check_address(settings)
        super().__init__(outbox, self._post, settings.retry, wait)

    def _post(self, entry: Entry) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": entry.id, "User-Agent": "sorter"}
        if (proof := _authorization(self._settings.token, self._address)) is not None:
            headers["Authorization"] = proof
        connection = self._connection()
        # The connection's own timeout is for each piece: a server that drips its answer would never run into it.
        alarm = threading.Timer(_NUM_PIECES * self._settings.timeout_s, _hang_up, (connection,))
        alarm.daemon = True
        alarm.start()
        try:
            connection.request("POST", _path(self._address), entry.record.encode(), headers)
            status = connection.getresponse().status
        except TimeoutError as error:
            # It may have taken the decision, and would get it again and again.
            raise UnavailableError(
                f"webhook {self._place}: no answer within {self._settings.timeout_s:g} s;"
                " see whether it is well, or raise webhook.timeout_s"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(
                f"webhook {self._place}: cannot be reached: {error or type(error).__name__}"
            ) from error
        finally:
            alarm.cancel()
            connection.close()
        if not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
            kind = RefusedError if status in _REFUSALS else UnavailableError
            advice = _ADVICE.get(status, "")
            raise kind(f"webhook {self._place}: expected an answer of 2xx, found {status}{advice}")

    @property
    def _place(self) -> str:
        # Neither user, path nor query: in each may stand what lets the bin in.
        return f"{self._address.scheme}://{self._address.netloc.rpartition('@')[2]}"

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=self._settings.timeout_s, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=self._settings.timeout_s)


def _hang_up(connection: http.client.HTTPConnection) -> None:
    if (sock := connection.sock) is not None:
        with contextlib.suppress(OSError):  # it has just ended by itself
            sock.shutdown(socket.SHUT_RDWR)


def check_address(settings: WebhookSettings) -> tuple[SplitResult, ssl.SSLContext | None]:
    """The address in its parts, and how the connection is secured; None when it is not.

    Raises:
        ConfigError: the address is not http or https, does not fit the rest, or the certificate cannot be used.
        MissingInputError: the certificate is not there.
    """
    try:
        address = urlsplit(settings.url)
        is_fit = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
        is_fit = is_fit and _is_plain(settings.url) and bool((address.hostname or "").encode("idna"))
    except ValueError:  # a port that is no number, a bracket that does not close, a name that is none
        is_fit = False
    if not is_fit:
        # Not the address itself: it may hold a secret.
        raise ConfigError("webhook: expected http://host/path or https://host/path, found another address")
    if settings.token is not None and not _is_plain(settings.token):
        raise ConfigError("webhook: expected a token of ASCII characters without spaces, found others")
    if settings.token is not None and address.username is not None:
        raise ConfigError("webhook: expected a token or user:password@ in the url, found both")
    if settings.ca_file is not None and address.scheme != "https":
        raise ConfigError("webhook: expected https:// with ca_file, found http://, which checks no certificate")
    return address, _tls_context(settings) if address.scheme == "https" else None


def _is_plain(text: str) -> bool:
    """Whether HTTP can carry it as it is."""
    return text.isascii() and text.isprintable() and " " not in text


def _authorization(token: str | None, address: SplitResult) -> str | None:
    """What proves who is speaking: the token, else the user and password in the address; None without either."""
    if token is not None:
        return f"Bearer {token}"
    if address.username is None:
        return None
    pair = f"{unquote(address.username)}:{unquote(address.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _path(address: SplitResult) -> str:
    return (address.path or "/") + (f"?{address.query}" if address.query else "")


def _tls_context(settings: WebhookSettings) -> ssl.SSLContext:
    if settings.ca_file is not None and not settings.ca_file.is_file():
        raise MissingInputError(f"{settings.ca_file}: expected a certificate in PEM form, found no file")
    try:
        return ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
    except (OSError, ValueError) as error:
        raise ConfigError(f"webhook: the certificate {settings.ca_file} cannot be used: {error}") from error
