"""What pip reads."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import get_args

from edge.errors import Extra

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_an_older_python_is_refused_by_name_and_not_for_a_pin_that_it_cannot_have() -> None:
    """The pip of Ubuntu 22.04 looks at requirements first: where none holds, it says which Python is wanted."""
    oldest = PROJECT["requires-python"].partition(",")[0].removeprefix(">=")
    assert [line for line in PROJECT["dependencies"] if not line.endswith(f"; python_version >= '{oldest}'")] == []


def test_every_extra_that_an_error_tells_to_install_is_there() -> None:
    assert set(get_args(Extra)) <= set(PROJECT["optional-dependencies"])
