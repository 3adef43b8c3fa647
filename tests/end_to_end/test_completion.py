"""The Tab key, as bash asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

SORTER = Path(sys.executable).with_name("sorter")


def completed(*words: str) -> list[str]:
    """What bash offers after these words."""
    environment = {
        **os.environ,
        "_SORTER_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["sorter", *words]),
        "COMP_CWORD": str(len(words)),
    }
    said = subprocess.run([SORTER], env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    return [line.partition(",")[2] for line in said.splitlines()]


def test_commands_and_options_are_offered() -> None:
    assert {"record", "replay"} <= set(completed("re"))
    assert "--soak" in completed("benchmark", "--s")
    assert set(completed("service", "")) >= {"install", "uninstall", "status"}


@pytest.mark.parametrize(("shell", "kept"), [("bash", "completions/sorter"), ("fish", "completions/sorter.fish")])
def test_the_lines_that_help_shows_leave_the_script_in_a_home_that_has_no_such_folder(
    sorter: Callable[..., CompletedProcess[str]], tmp_path: Path, shell: str, kept: str
) -> None:
    shown = sorter("completion", "--help").stdout.partition(f"  {shell}:")[2].splitlines()[:2]
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": f"{SORTER.parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-ec", "\n".join(shown)], env=environment, check=True, timeout=60)
    (written,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert str(written).endswith(kept)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(sorter: Callable[..., CompletedProcess[str]], shell: str) -> None:
    answer = sorter("completion", shell)
    assert answer.returncode == 0
    assert f"_SORTER_COMPLETE={shell}_complete" in answer.stdout
