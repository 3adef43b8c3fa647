"""A machine for each test, woken as it was put to sleep: what a test does to it is gone with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.build import DATA_BYTES, make_ext4
from tests.guest.disk import ForgetfulDisk
from tests.guest.guest import Guest, Image

# A machine that is only emulated takes its time, and on a busy computer more.
_TIMEOUT_S = 4 * 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S))


@pytest.fixture
def image(request: pytest.FixtureRequest) -> Image:
    folder = request.config.getoption("--guest")
    if folder is None:
        pytest.skip("needs a virtual machine: see tests/guest/__init__.py")
    return Image(Path(folder).resolve())


@pytest.fixture
def off(image: Image, tmp_path: Path) -> Iterator[Guest]:
    """A machine that is not switched on; its data disk holds an empty file system."""
    content = tmp_path / "data.ext4"
    make_ext4(content, DATA_BYTES)
    # Sockets want a short path.
    with tempfile.TemporaryDirectory(prefix="guest-") as folder:
        guest = Guest(image, Path(folder), ForgetfulDisk(content.read_bytes()))
        yield guest
        guest.kill()


@pytest.fixture
def guest(off: Guest) -> Guest:
    """A machine that is awake, with sorter installed and not running."""
    off.wake()
    return off
