"""What every test may need."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from edge.commands import options

# How long an example takes says how busy the machine is, nothing else.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the Debian of tests/box and the virtual machine of tests/guest are."""
    parser.addoption("--box", help="the folder that `python3 -m tests.box.build FOLDER` made")
    parser.addoption("--guest", help="the folder that `python3 -m tests.guest.build FOLDER` made")
    parser.addoption("--cuts", type=int, default=0, help="how often tests/box/test_power_cut.py pulls the plug")


@pytest.fixture(autouse=True)
def own_logging() -> None:
    """A command that runs in this process sets the level of all logging, also for what comes after."""
    options.set_verbosity(0)
    logging.root.setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures and clips beside the checkout; they are not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real pictures in ../shared/data, which are not part of the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def mosquitto() -> str:
    """The path of a real broker."""
    return _tool("mosquitto", "the mosquitto broker", "mosquitto")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a real browser."""
    return _tool("chromium", "a real browser", "chromium")


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of Prometheus' own checker."""
    return _tool("promtool", "Prometheus' promtool", "prometheus")


def _tool(command: str, what: str, package: str) -> str:
    """Where a program is. In CI it must be there; elsewhere its absence skips the test."""
    found = shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"CI must install {package}")
    if found is None:
        pytest.skip(f"needs {what}: apt install {package}")
    return found
