"""Install sorter as on a Raspberry Pi: in a 64-bit ARM Debian, by `systemd/install`, and say what it takes.

python3 -m tests.bench.raspberry_pi FOLDER --suite trixie        # or bookworm; a suite's folder is made once, and kept

Needs root, mmdebstrap, qemu-user-static with binfmt-support, and a Debian mirror and package index. Every instruction
is emulated: the times are several times a Raspberry Pi's. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.box.build import BORROWED, CHECKOUT, run

PACKAGES = "apt,ca-certificates,python3,python3-venv"
# LiteRT asks the kernel how many cores there are; the emulated machine has no /sys.
CORES = "sys/devices/system/cpu"
COPIED = ("edge", "train", "convert", "calibration", "systemd")


def make_userland(root: Path, suite: str) -> None:
    """A minimal Debian for ARM, and this checkout in it."""
    if not (root / "usr/bin/apt-get").exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        # A folder is thrown away, so it need not survive a power cut: a third of the time.
        options = ["--variant=minbase", "--architectures=arm64", "--dpkgopt=force-unsafe-io", f"--include={PACKAGES}"]
        run("mmdebstrap", *options, suite, str(root))
    for name in BORROWED:
        if Path(name).is_file():
            (root / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, root / name.lstrip("/"))
    (root / CORES).mkdir(parents=True, exist_ok=True)
    for name in ("possible", "present"):
        (root / CORES / name).write_text("0-3\n", encoding="ascii")
    shutil.rmtree(root / "src", ignore_errors=True)
    for name in COPIED:
        shutil.copytree(CHECKOUT / name, root / "src" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*CHECKOUT.glob("*.*"), CHECKOUT / "LICENSE"):
        if path.is_file():
            shutil.copyfile(path, root / "src" / path.name)


def install(root: Path) -> dict[str, object]:
    """Run the owner's one command; what it took."""
    shutil.rmtree(root / "opt/sorter", ignore_errors=True)
    environment = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    if "PIP_CERT" in environment:
        environment["PIP_CERT"] = "/etc/ssl/certs/ca-certificates.crt"
    words = [f"{name}={value}" for name, value in {**environment, "QEMU_CPU": "cortex-a72"}.items()]
    began_s = time.monotonic()
    with mounted(root):
        run("chroot", str(root), "/usr/bin/env", *words, "/bin/sh", "/src/systemd/install")
    return {"seconds_emulated": round(time.monotonic() - began_s), "opt_sorter_mb": round(size_mb(root / "opt/sorter"))}


@contextmanager
def mounted(root: Path) -> Iterator[None]:
    """With this machine's processes and devices in it."""
    names = ("proc", "dev")
    for name in names:
        run("mount", "--bind", f"/{name}", str(root / name))
    try:
        yield
    finally:
        for name in names:
            run("umount", str(root / name))


def size_mb(folder: Path) -> float:
    """Of everything in it, in 1e6 bytes."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / 1e6


def main() -> None:
    """Make it, install, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--suite", choices=("bookworm", "trixie"), default="trixie")
    arguments = parser.parse_args()
    root = arguments.folder.resolve() / arguments.suite
    make_userland(root, arguments.suite)
    print(json.dumps({"suite": arguments.suite, **install(root)}))


if __name__ == "__main__":
    main()
