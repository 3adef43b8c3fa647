"""What of a support archive its reader must not learn: passwords, tokens, user names, names of people and machines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, SecretStr

from edge.config import Config

HIDDEN = "[hidden]"
# Shorter ones would hide half of the words of a log; they stand in the settings only, which hide them themselves.
_MIN_LENGTH = 4
_PATTERNS = (
    re.compile(r"(?<=://)[^/\s@]+(?=@)"),  # user:password@ of an address
    re.compile(
        r"(?i)((?:token|key|password|passwd|secret|signature|sig|auth|code)\b[\"']?\s*[=:]\s*[\"']?)(?!null|None)[^\s&\"',;]+"
    ),
    re.compile(r"(?i)(\b(?:bearer|basic)\s+)[\w.~+/=-]+"),
)


def hide(text: str, config: Config) -> str:
    """`text` without the secrets of `config`, without any that looks like one, and with ~ for home folders."""
    for secret in sorted(set(_secrets(config)), key=len, reverse=True):
        if len(secret) >= _MIN_LENGTH:
            text = text.replace(secret, HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: (match[1] if match.re.groups else "") + HIDDEN, text)
    return re.sub(r"(?:/home/[^/\s\"']+|/root)(?=/|\b)", "~", text).replace(str(Path.home()), "~")


def _secrets(section: BaseModel) -> Iterator[str]:
    """Every secret value in a section and in those below, and the user's name at the broker."""
    for name in type(section).model_fields:
        match getattr(section, name):
            case SecretStr() as secret:
                yield secret.get_secret_value()
            case BaseModel() as below:
                yield from _secrets(below)
            case str() as text if name == "username":
                yield text
