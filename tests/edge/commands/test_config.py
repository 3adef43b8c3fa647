"""`sorter config show` prints a configuration that holds, in the form that an owner writes."""

from __future__ import annotations

import tomllib
from pathlib import Path

from click.testing import CliRunner

from edge.assembly.places import settled
from edge.commands.config import config
from edge.config import load_config

ODD = r"Flur \"Süd\"\n\t\u007f\\ 😀"

WRITTEN = rf"""
[device]
name = "{ODD}"
[decision.costs."{ODD}"]
"groß 😀" = 2.5
[bins.glass]
labels = ["glass", "groß '1' 😀"]
[bins.other]
labels = ["cardboard", "metal", "paper", "plastic", "trash"]
[mqtt]
host = "broker"
username = "bin"
password = "a secret"
"""


def test_what_is_shown_can_be_written_again(tmp_path: Path) -> None:
    path, shown = tmp_path / "sorter.toml", tmp_path / "shown.toml"
    path.write_text(WRITTEN, encoding="utf-8")
    answer = CliRunner().invoke(config, ["show", "--config", str(path)])
    assert "a secret" not in answer.stdout
    assert "# site is not set" in answer.stdout.splitlines()
    shown.write_text(answer.stdout.replace("*" * 10, "a secret"), encoding="utf-8")
    assert tomllib.loads(shown.read_text(encoding="utf-8"))["device"]["name"] == 'Flur "Süd"\n\t\x7f\\ 😀'
    assert load_config(shown, []) == settled(load_config(path, []))
