"""Build the box: a minimal Debian 12 with systemd, and sorter installed in /opt/sorter as on a device.

python3 -m tests.box.build FOLDER

Needs root, mmdebstrap and a reachable Debian mirror and package index, by the machine's own settings.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = "systemd,systemd-sysv,udev,dbus,kmod,procps,python3,python3-venv,ca-certificates"
CHECKOUT = Path(__file__).parents[2]
# What lets pip out of the box as it is let out of this machine.
BORROWED = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")


def build(root: Path, packages: str = PACKAGES, *options: str) -> None:
    """Make the root folder, unless it is there, and install this checkout into it."""
    if not (root / "usr/bin/python3").exists():
        run("mmdebstrap", "--variant=minbase", f"--include={packages}", *options, "bookworm", str(root))
    for name in BORROWED:
        if Path(name).is_file():
            (root / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, root / name.lstrip("/"))
    source = root / "src"
    shutil.rmtree(source, ignore_errors=True)
    kept = ("edge", "train", "convert", "calibration", "tests", "systemd")
    for name in kept:
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in CHECKOUT.glob("*.*"):
        if path.is_file():
            shutil.copyfile(path, source / path.name)
    shutil.copyfile(CHECKOUT / "LICENSE", source / "LICENSE")
    install = (
        "test -d /opt/sorter || python3 -m venv /opt/sorter; "
        "/opt/sorter/bin/pip install --quiet -c /src/constraints.txt '/src[device]'; "
        "/opt/sorter/bin/pip install --quiet --force-reinstall --no-deps /src; rm -rf /src"
    )
    run_inside(root, install)


def run_inside(root: Path, script: str) -> None:
    """A shell script, with `root` for its root folder."""
    environment = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("PIP_")]
    for name in ("proc", "dev"):
        run("mount", "--bind", f"/{name}", str(root / name))
    try:
        run("chroot", str(root), "/usr/bin/env", *environment, "/bin/bash", "-euc", script)
    finally:
        for name in ("dev", "proc"):
            run("umount", str(root / name))


def run(*command: str) -> None:
    """Loudly, or not at all."""
    subprocess.run(command, check=True)


def main() -> None:
    """Build it where the command says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    build(parser.parse_args().folder.resolve())


if __name__ == "__main__":
    main()
