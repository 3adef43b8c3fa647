"""Who is told of a decision, and where it is kept."""

from __future__ import annotations

from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from edge.config.base import Section

_MIB = 1024 * 1024

Prefix = Annotated[str, StringConstraints(pattern=r"^[^+#/\s][^+#\s]{0,99}$")]


def host_name(text: str) -> str:
    """`text`, where it is the name or address of a host; ValueError where it is not."""
    # What the resolver cannot even encode raises in the network's thread, long after.
    try:
        is_fit = text.encode("idna") != b"" and not any(sign in text for sign in "/ \t\n[]")
        if ":" in text:
            IPv6Address(text)  # nothing else has one: a port is a setting of its own
    except ValueError:
        is_fit = False
    if not is_fit:
        raise ValueError("expected a name or an address alone, such as broker.local, 192.0.2.7 or ::1")
    return text


Host = Annotated[str, AfterValidator(host_name)]


class MqttSection(Section):
    """The broker and how to get in; the password is best given by the environment.

    `use_tls` checks the broker against the system's certificates, `ca_file` against that file;
    `certificate_file` with `key_file` adds the bin's own. `retry_min_s` to `retry_max_s`, doubling, lie
    between attempts to connect. `home_assistant` makes the bin a device there, by discovery.
    """

    host: Host
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    use_tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = Field(default=30, ge=5, le=3600)
    retry_min_s: float = Field(default=1.0, gt=0, le=3600)
    retry_max_s: float = Field(default=60.0, gt=0, le=86400)
    protocol: Literal["5", "3.1.1"] = "5"
    commands: bool = Field(default=True, description="obey the command topics")
    home_assistant: bool = False
    discovery_prefix: Prefix = "homeassistant"


class WebhookSection(Section):
    """One POST for each decision; `token` becomes a bearer token, `user:password@` in `url` Basic authentication.

    The address may hold a secret, so it is one.
    """

    url: SecretStr
    token: SecretStr | None = None
    ca_file: Path | None = None
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    retry_min_s: float = Field(default=1.0, gt=0, le=3600)
    retry_max_s: float = Field(default=300.0, gt=0, le=86400)


class FilesSection(Section):
    """Decisions as JSON lines in `path`, turned over at `max_bytes`; `num_old` older files are kept."""

    path: Path
    max_bytes: int = Field(default=16 * _MIB, ge=4096, le=1024 * _MIB)
    num_old: int = Field(default=3, ge=0, le=100)


class JournalSection(Section):
    """Where decisions are kept; no `path` means the state directory. The oldest go when either bound is met.

    Once the bin has written `max_bytes_a_day`, all in all, pictures and explanations wait for the next day (UTC).
    """

    path: Path | None = None
    keep: int = Field(default=100_000, ge=1, le=10_000_000)
    max_bytes: int = Field(default=512 * _MIB, ge=_MIB, le=64 * 1024 * _MIB)
    # Of the 10 TB or so that a cheap 16 GB card stands, a tenth in ten years.
    max_bytes_a_day: int = Field(default=256 * _MIB, ge=_MIB, le=64 * 1024 * _MIB)


class PicturesSection(Section):
    """A ring of item pictures beside the journal, for review and training; `enabled = false` for privacy.

    No more than `max_bytes_a_day` is written, and `min_free_bytes` of the disk are left to others.
    """

    enabled: bool = True
    path: Path | None = None
    max_bytes: int = Field(default=256 * _MIB, ge=_MIB, le=64 * 1024 * _MIB)
    max_bytes_a_day: int = Field(default=64 * _MIB, ge=_MIB, le=64 * 1024 * _MIB)
    min_free_bytes: int = Field(default=512 * _MIB, ge=0)
    jpeg_quality: int = Field(default=85, ge=1, le=100)
