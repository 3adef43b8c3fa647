"""What every section of the configuration has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


class Section(BaseModel):
    """A part of the configuration: immutable, and an unknown key is an error.

    A secret is a `SecretStr`: neither `sorter config show` nor an error ever prints it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
