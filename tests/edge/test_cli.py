"""What `sorter --help` shows: every command once, where a newcomer looks for it, on a line of its own."""

from __future__ import annotations

import click
from click.testing import CliRunner

from edge.cli import SECTIONS, Overview, gather, sorter


def test_every_command_is_in_one_section_and_fits_a_line_of_a_terminal() -> None:
    gather()
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(sorter.commands)
    said = CliRunner().invoke(sorter, ["--help"], terminal_width=80).output
    assert "..." not in said.partition("Options:")[2], "a sentence was cut off"
    for name in sorter.commands:
        assert len([line for line in said.splitlines() if line.startswith(f"  {name} ")]) == 1, name
    assert max(map(len, said.splitlines())) <= 80


def test_a_command_of_a_room_that_nobody_foresaw_is_shown_too() -> None:
    room = Overview("sorter", commands={"weigh": click.Command("weigh", short_help="Weigh what lies there.")})
    assert "Further:\n  weigh  Weigh what lies there." in CliRunner().invoke(room, ["--help"]).output
