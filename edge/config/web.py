"""The page: where it is, and who may look."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from edge.config.base import Section
from edge.config.outlets import Host

HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]


class WebSection(Section):
    """The page, when this section is there: live picture, decisions, review, try, teach, and `/metrics`.

    Only this machine reaches it unless `host` says otherwise (0.0.0.0: everyone in the network); then a
    token is needed, which is made and kept in the state folder (`web-token`) where none is given. `hosts`
    are further names under which it may be asked for, such as a proxy's.
    """

    host: Host = Field(default="127.0.0.1", max_length=253)
    port: int = Field(default=8765, ge=0, le=65535, description="0 takes a free one")
    token: SecretStr | None = Field(default=None, min_length=16, max_length=256)
    hosts: tuple[HostName, ...] = ()
