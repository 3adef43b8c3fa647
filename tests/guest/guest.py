"""A virtual machine with a kernel of its own: camera, lines, disk, and a plug to pull."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.box.box import Box
from tests.guest.channel import Channel
from tests.guest.disk import ForgetfulDisk
from tests.guest.lines import Lines

# Without hardware virtualization a boot takes a minute, on a busy machine more.
_BOOT_S = 3000.0
_MONITOR_S = 60.0
_MOVED_S = 3000.0
_POLL_S = 0.05
# Whatever made this machine's processor virtual, a guest of a guest runs only where the processor says so.
_IS_ACCELERATED = Path("/dev/kvm").exists() and any(
    flag in Path("/proc/cpuinfo").read_text(encoding="ascii") for flag in (" vmx ", " svm ")
)
# Without it the guest's time is its instructions, a nanosecond each: it then has a processor like a Raspberry
# Pi's however slow or busy this machine is, and no clock in it runs ahead of its work.
_EMULATED = ("-accel", "tcg", "-cpu", "max", "-icount", "shift=0,sleep=on", "-rtc", "clock=vm")
_PROCESSOR = ("-accel", "kvm", "-cpu", "host") if _IS_ACCELERATED else _EMULATED
_KERNEL_SAYS = (
    "root=/dev/vda rw console=ttyS0 quiet panic=5 mitigations=off audit=0 no_timer_check tsc=reliable"
    # Each level that a line is given is an event, which witness.service passes on.
    " trace_event=gpio:gpio_value"
)


@dataclass(frozen=True, slots=True)
class Image:
    """What tests.guest.build made: a kernel, a root file system, and a machine that has booted from it and sleeps."""

    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd.img"

    @property
    def root(self) -> Path:
        """ext4 as it was installed."""
        return self.folder / "root.ext4"

    @property
    def asleep(self) -> Path:
        """The root disk of the sleeping machine, a layer on `root`."""
        return self.folder / "asleep.qcow2"

    @property
    def memory(self) -> Path:
        """The sleeping machine's memory."""
        return self.folder / "asleep.memory"


class Guest(Box):
    """A machine that is on between `boot` or `wake` and `cut`; its disks outlive that.

    `folder` holds its sockets, so its path must be short. `data` is /dev/vdb inside, for what must survive
    a power cut; the root disk drops what the guest's kernel has not written, no more.
    """

    def __init__(self, image: Image, folder: Path, data: ForgetfulDisk) -> None:
        self._image = image
        self._folder = folder
        self._data = data
        self._root = folder / "root.qcow2"
        self._process: subprocess.Popen[bytes] | None = None
        self.lines = Lines(self, folder / "witness")

    def boot(self) -> float:
        """From nothing but its root disk; how many seconds it took."""
        began_s = time.monotonic()
        if not self._root.exists():
            _layer(self._image.root, self._root)
        self._switch_on()
        self._agent.ask("guest-sync", id=1)
        state = self("systemctl", "is-system-running", "--wait", is_checked=False)
        assert state == "running", self("systemctl", "--failed", "--no-legend", is_checked=False)
        return time.monotonic() - began_s

    def wake(self) -> float:
        """As it slept when the image was made, with today's time; how many seconds it took."""
        began_s = time.monotonic()
        self._root.unlink(missing_ok=True)
        _layer(self._image.asleep, self._root)
        self._switch_on("-incoming", f"exec:cat {self._image.memory}")
        while self._monitor.ask("query-status")["status"] == "inmigrate":
            time.sleep(_POLL_S)
        self._monitor.ask("cont")
        self._agent.ask("guest-sync", id=1)
        self("date", "--set", f"@{time.time():.3f}")
        return time.monotonic() - began_s

    def sleep(self) -> None:
        """Keep the machine in the image for others to wake, and switch it off."""
        self("sync")
        self._monitor.ask("stop")
        self._monitor.ask("migrate", uri=f"exec:cat > {self._image.memory}")
        while (state := self._monitor.ask("query-migrate")["status"]) != "completed":
            assert state in {"setup", "active", "device"}, state
            time.sleep(_POLL_S)
        self._monitor.ask("quit")
        self._hang_up()
        self._root.replace(self._image.asleep)

    def cut(self, chance: Random) -> tuple[int, int]:
        """Pull the plug. How many writes the data disk had not been told to keep, and how many of them are lost."""
        self.kill()
        return self._data.cut(chance)

    def kill(self) -> None:
        """Switch it off, if it is on."""
        if self._process is not None:
            self._process.kill()
            self._hang_up()

    def run(self, command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        started = self._agent.ask(
            "guest-exec", path=command[0], arg=list(command[1:]), capture_output=True,
            input_data=base64.b64encode(stdin.encode()).decode(),
        )  # fmt: skip
        pause_s = _POLL_S
        while not (ended := self._agent.ask("guest-exec-status", pid=started["pid"]))["exited"]:
            time.sleep(pause_s)
            pause_s = min(2.0, 1.5 * pause_s)  # asking keeps a slow guest from its work
        said, complained = (base64.b64decode(ended.get(name, "")).decode() for name in ("out-data", "err-data"))
        return subprocess.CompletedProcess(command, ended.get("exitcode", -ended.get("signal", 0)), said, complained)

    def until_moved(self, num_times: int, *, is_on: bool = True, after: int = 0) -> None:
        """Wait until lines have been given this level so many times in all, not counting the first `after` changes."""
        self.wait(lambda: sum(one.is_on is is_on for one in self.lines.changes()[after:]) >= num_times, _MOVED_S)

    def _switch_on(self, *more: str) -> None:
        here = self._folder
        self._data.plug(here / "data")
        command = [
            "qemu-system-x86_64", "-machine", "q35", *_PROCESSOR, "-smp", "1", "-m", "1024",
            "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", self._image.kernel, "-initrd", self._image.initrd, "-append", _KERNEL_SAYS,
            "-drive", f"file={self._root},if=none,id=root,format=qcow2,cache=writeback",
            "-device", "virtio-blk-pci,drive=root",
            "-drive", f"file=nbd+unix:///?socket={here / 'data'},if=none,id=data,format=raw",
            "-device", "virtio-blk-pci,drive=data",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={here / 'agent'},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            "-chardev", f"file,id=witness,path={here / 'witness'},append=on",
            "-device", "virtserialport,chardev=witness,name=witness",
            "-serial", f"file:{here / 'console'}", "-qmp", f"unix:{here / 'monitor'},server=on,wait=off", *more,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._monitor = Channel(here / "monitor", _MONITOR_S)
        self._monitor.ask("qmp_capabilities")
        self._agent = Channel(here / "agent", _BOOT_S)

    def _hang_up(self) -> None:
        assert self._process is not None
        self._process.wait(timeout=60)
        self._process = None
        self._monitor.close()
        self._agent.close()


def _layer(base: Path, layer: Path) -> None:
    """A disk that begins as `base` and keeps its own changes."""
    kind = "qcow2" if base.suffix == ".qcow2" else "raw"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", kind, layer]
    subprocess.run(command, check=True)
