"""What `sorter --help` shows: every command once, where a newcomer looks for it, on a line of its own."""

from __future__ import annotations

import click
from click.testing import CliRunner

from edge.cli import SECTIONS, Overview, gather, sorter


def test_every_command_is_in_one_section() -> None:
    gather()
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(sorter.commands)


def test_every_command_of_every_group_has_one_line_of_a_terminal_and_no_sentence_is_cut_off() -> None:
    gather()
    groups = [sorter, *(command for command in sorter.commands.values() if isinstance(command, click.Group))]
    for group in groups:
        said = CliRunner().invoke(group, ["--help"], terminal_width=80).output.partition("Options:")[2]
        assert "..." not in said, group.name
        for name in group.commands:
            assert len([line for line in said.splitlines() if line.startswith(f"  {name} ")]) == 1, name
        assert max(map(len, said.splitlines())) <= 80


def test_a_command_of_a_room_that_nobody_foresaw_is_shown_too() -> None:
    room = Overview("sorter", commands={"weigh": click.Command("weigh", short_help="Weigh what lies there.")})
    assert "Further:\n  weigh  Weigh what lies there." in CliRunner().invoke(room, ["--help"]).output
