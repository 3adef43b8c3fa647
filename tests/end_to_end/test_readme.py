"""Every command that the manual shows exists, with every option it shows."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edge.assembly.misfits import misfits
from edge.cli import gather, sorter
from edge.config import load_config

CHECKOUT = Path(__file__).parents[2]
MANUALS = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md")]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(sorter [^`\n]+)`")


def blocks(language: str) -> Iterator[str]:
    """The code blocks of this language in all manuals."""
    for manual in MANUALS:
        for found in _BLOCK.finditer(manual.read_text(encoding="utf-8")):
            if found[1] == language:
                yield found[2]


def shell_lines() -> list[str]:
    """The lines of shell that call sorter, in their order."""
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    shown = [part.strip() for line in lines for part in re.split(r"&&|\||;", line.partition(" #")[0])]
    called = [re.sub(r"^(sudo )?(\S*/)?sorter ", "sorter ", line) for line in shown]
    return [line for line in called if line.startswith("sorter ")]


def commands() -> list[str]:
    """The lines of shell, and what stands between back quotes."""
    quoted = [found[1] for manual in MANUALS for found in _INLINE.finditer(manual.read_text(encoding="utf-8"))]
    return sorted({line for line in [*shell_lines(), *quoted] if line.startswith("sorter ")})


@pytest.mark.parametrize("line", commands())
def test_the_command_and_its_options_exist(line: str) -> None:
    gather()
    words = shlex.split(re.sub(r"[<>]\s*\S+$", "", line), comments=True)[1:]
    command: click.Command = sorter
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        if name in {"…", "..."}:
            return
        found = command.commands.get(name)
        assert found is not None, f"{line}: there is no {name}"
        command = found
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "-h", "--version"}
    options = [word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z].*", word)]
    assert [option for option in options if option not in known] == [], line


def test_there_are_commands_to_test() -> None:
    assert len(commands()) > 15


@pytest.mark.parametrize("block", list(blocks("toml")))
def test_a_configuration_that_is_shown_is_valid(block: str, tmp_path: Path) -> None:
    assert tomllib.loads(block)
    path = tmp_path / "sorter.toml"
    path.write_text(block, encoding="utf-8")
    load_config(path, [], {}, checks=[misfits])


def test_every_option_of_every_command_says_what_it_is_for() -> None:
    gather()
    waiting: list[click.Command] = [sorter]
    silent = []
    while waiting:
        command = waiting.pop()
        waiting += command.commands.values() if isinstance(command, click.Group) else ()
        options = [option for option in command.params if isinstance(option, click.Option)]
        silent += [f"{command.name} {option.opts[0]}" for option in options if not option.help]
    assert silent == []
