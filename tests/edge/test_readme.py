"""What the README shows is true: every configuration in it is valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.config import load_config

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```toml\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_each_configuration_in_the_readme_is_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sorter.toml"
    path.write_text(text, encoding="utf-8")
    assert load_config(path, environment={}).bins
