"""Build the guest: a Debian 12 with a kernel of its own and sorter installed, booted once and put to sleep.

python3 -m tests.guest.build FOLDER

Needs root, x86-64, mmdebstrap, qemu-system-x86, qemu-utils, a C compiler and a reachable Debian mirror and package
index, by the machine's own settings. Run again after a change of sorter: only that is installed anew.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from tests.box import build as box
from tests.box.box import SORTER
from tests.edge.accelerator import build_driver, compiled_bundle
from tests.guest.bins import COUNTER_ONLY, GRAY_RAMP, LEARN_S, MODEL, READY_S, WATCHING, configure, set_scene
from tests.guest.disk import ForgetfulDisk
from tests.guest.guest import Guest, Image

# The kernel, and what the guest needs to be looked at from outside.
PACKAGES = "linux-image-amd64,qemu-guest-agent,v4l-utils"
# What builds gpio-sim, which Debian's kernel does not have; gone from the image afterwards.
TOOLS = ("linux-headers-amd64", "linux-source", "gcc", "make", "xz-utils")
OVERLAY = Path(__file__).with_name("overlay")
# So that the initial RAM disk holds what finds the root disk, and no more.
SMALL_INITRD = 'mkdir -p "$1/etc/initramfs-tools/conf.d" && echo MODULES=list > "$1/etc/initramfs-tools/conf.d/box"'
DATA_BYTES = 96 << 20

# The simulator lacks nothing but a configuration that has it; one call in it is not open to modules.
GPIO_SIM = """
version=$(ls /usr/lib/modules)
modules=/usr/lib/modules/$version
if [ ! -e $modules/extra/gpio-sim.ko ]; then
    work=$(mktemp -d)
    cd $work
    archive=$(ls /usr/src/linux-source-*.tar.xz)
    source=$(basename $archive .tar.xz)
    tar -xf $archive $source/drivers/gpio/gpio-sim.c $source/drivers/gpio/gpiolib.h $source/kernel/irq/irq_sim.c
    mv $source/drivers/gpio/gpio-sim.c chip.c
    mv $source/drivers/gpio/gpiolib.h $source/kernel/irq/irq_sim.c .
    sed -i 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/; /^MODULE_/d' irq_sim.c
    printf 'obj-m := gpio-sim.o\\ngpio-sim-y := chip.o irq_sim.o\\n' > Makefile
    make -s -C $modules/build M=$work modules
    install -D -m 644 gpio-sim.ko $modules/extra/gpio-sim.ko
    depmod $version
    cd /
    rm -r $work
    apt-get purge -y -qq --auto-remove TOOLS
fi
printf 'virtio_pci\\nvirtio_blk\\next4\\n' > /etc/initramfs-tools/modules
update-initramfs -u
passwd -d root
systemctl enable gpio-lines witness
"""


def build(folder: Path) -> None:
    """Everything that an Image promises, in `folder`."""
    image = Image(folder)
    root = folder / "root"
    folder.mkdir(parents=True, exist_ok=True)
    box.build(root, ",".join((box.PACKAGES, PACKAGES, *TOOLS)), f"--setup-hook={SMALL_INITRD}")
    shutil.copytree(OVERLAY, root, dirs_exist_ok=True)
    build_driver(root / "usr/lib")
    shutil.rmtree(root / MODEL.lstrip("/"), ignore_errors=True)
    compiled_bundle(root / MODEL.lstrip("/"))
    box.run_inside(root, GPIO_SIM.replace("TOOLS", " ".join(TOOLS)))
    for pattern, target in (("vmlinuz-*", image.kernel), ("initrd.img-*", image.initrd)):
        shutil.copyfile(next((root / "boot").glob(pattern)), target)
    make_ext4(image.root, 3 << 30, "-d", str(root))
    put_to_sleep(image)


def put_to_sleep(image: Image) -> None:
    """Boot, install the service, let it watch an empty scene, and keep the machine."""
    with tempfile.TemporaryDirectory(prefix="guest-") as folder:
        guest = Guest(image, Path(folder), ForgetfulDisk(bytes(DATA_BYTES)))
        try:
            guest.boot()
            set_scene(guest, test_pattern=GRAY_RAMP, osd_text_mode=COUNTER_ONLY)
            configure(guest, WATCHING)
            installed = guest.run([SORTER, "service", "install"])
            assert installed.returncode == 0, f"{installed.stderr}{guest.log()}"
            guest.until("ActiveState", "active", READY_S)
            guest("sleep", str(2 * LEARN_S))
            guest.sleep()
        finally:
            guest.kill()


def make_ext4(path: Path, num_bytes: int, *options: str) -> None:
    """A file system in a file."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(num_bytes)
    box.run("mke2fs", "-q", "-t", "ext4", "-F", "-E", "root_owner=0:0", *options, str(path))


def main() -> None:
    """Build it where the command says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    build(parser.parse_args().folder.resolve())


if __name__ == "__main__":
    main()
