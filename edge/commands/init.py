"""`sorter init`: a few questions, and a configuration to begin with."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import bundle_option, verbosity_options
from edge.errors import ConfigError, SorterError, UsageError
from edge.listing import some_of

if TYPE_CHECKING:
    from edge.config.first_config import Answers, CameraAnswer, Drive

_SIMULATED = "none yet: rendered items"
_STREAM = "a network camera (rtsp:// or http://)"
_TWO, _EACH = "two: recycling and rest", "one for each class"


@click.command(short_help="Ask a few questions and write a configuration.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="By default ./sorter.toml; /etc/sorter/sorter.toml as root on a device.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--yes", is_flag=True, help="Ask nothing: take the first camera found, two bins, no hardware.")
@bundle_option
@verbosity_options
def init(out: Path | None, bundle: Path | None, *, force: bool, yes: bool) -> None:
    """Ask a few questions and write a commented configuration that is valid."""
    from edge.assembly.misfits import misfits
    from edge.bundle import DEFAULT_BUNDLE, load_bundle
    from edge.config import load_config
    from edge.config.first_config import write_config

    target = out or _usual_place()
    if not force and _is_somebodys(target):
        raise UsageError(f"{target} is there already: choose another --out, or --force to replace it")
    labels = load_bundle(bundle or DEFAULT_BUNDLE).manifest.labels
    answers = _defaults(labels) if yes else _ask(labels)
    if bundle is not None:
        answers = replace(answers, bundle=str(bundle.resolve()))
    _write(target, write_config(answers), lambda path: load_config(path, [], {}, checks=[misfits]))
    named = shlex.quote(str(target))
    click.echo(f"\nwrote {target}; it is valid.")
    click.echo(f"Next: sorter doctor --config {named}, then sorter run --config {named}")


def _is_somebodys(target: Path) -> bool:
    """Whether a file is there, other than the one that every installation begins with."""
    from edge.host.installation import FIRST_CONFIG

    return target.exists() and not (target.is_file() and target.read_bytes() == FIRST_CONFIG.encode())


def _usual_place() -> Path:
    system = Path("/etc/sorter")
    return system / "sorter.toml" if system.is_dir() and os.access(system, os.W_OK) else Path("sorter.toml")


def _defaults(labels: Sequence[str]) -> Answers:
    from edge.config.first_config import Answers

    return Answers("bin", next(iter(_cameras().values())), _two_bins(labels), unknown_bin="rest")


def _ask(labels: Sequence[str]) -> Answers:
    from edge.config.first_config import Answers

    click.echo("A few questions; Enter takes what stands in brackets. Everything can be changed later.\n")
    device_id = click.prompt("What is this bin called", default="bin", value_proc=_plain_name)
    cameras = _cameras()
    camera = cameras[_choose("Which camera looks at the items", [*cameras])]
    if camera.backend == "stream":
        camera = _ask_address()
    bins, unknown_bin = _ask_bins(labels)
    drive = _ask_drive()
    broker = click.prompt(
        "MQTT broker, host or host:port (empty for none)", default="", value_proc=_broker, show_default=False
    )
    has_home_assistant = broker is not None and click.confirm("Show the bin in Home Assistant", default=True)
    has_page = click.confirm("Show a web page on this device", default=True)
    return Answers(device_id, camera, bins, unknown_bin, drive, broker, has_home_assistant, has_page)


def _cameras() -> dict[str, CameraAnswer]:
    """Every camera that was found, then those that cannot be looked for, by how they are called in the question."""
    from edge.cameras.v4l2 import KernelNodes
    from edge.config.first_config import CameraAnswer

    found = {f"{node.card} at {node.path}": CameraAnswer("usb", device=node.path) for node in KernelNodes().cameras()}
    if list(Path("/sys/bus/i2c/drivers").glob("imx*/*-*")):  # Raspberry Pi's camera modules are sensors on I2C
        found["Raspberry Pi camera module"] = CameraAnswer("csi")
    return {**found, _SIMULATED: CameraAnswer("simulated"), _STREAM: CameraAnswer("stream")}


def _ask_address() -> CameraAnswer:
    from edge.config.first_config import CameraAnswer

    return CameraAnswer("stream", url=click.prompt("Its address", value_proc=_address))


def _ask_bins(labels: Sequence[str]) -> tuple[Mapping[str, Sequence[str]], str | None]:
    from edge.config.first_config import one_bin_each

    click.echo(f"\nThe model tells apart: {some_of(labels)}.")
    if _choose("How many bins", [_TWO, _EACH]) == _EACH:
        return one_bin_each(labels), None
    return _two_bins(labels), "rest"


def _two_bins(labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    from edge.config.first_config import recycling_and_rest

    rest = [label for label in labels if label in {"trash", "rest", "residual", "landfill", "other"}]
    return recycling_and_rest(labels, rest or [labels[-1]])


def _ask_drive() -> Drive:
    from edge.config.first_config import Drive

    choices = {
        "nothing yet: decisions are only shown": Drive.NONE,
        "relays, solenoids or lamps on GPIO": Drive.RELAY,
        "servo flaps on GPIO": Drive.SERVO,
    }
    return choices[_choose("What moves", [*choices])]


def _choose(question: str, choices: Sequence[str]) -> str:
    """One of several, by number; the first by default."""
    click.echo(f"\n{question}?")
    for number, choice in enumerate(choices, start=1):
        click.echo(f"  {number}  {choice}")
    number = click.prompt("Number", type=click.IntRange(1, len(choices)), default=1)
    return choices[number - 1]


def _plain_name(text: str) -> str:
    import re

    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", text):
        raise click.BadParameter("expected lower case letters, digits, - and _, such as kitchen-bin")
    return text


def _address(text: str) -> str:
    from edge.cameras.stream import check_url

    try:
        check_url(text)
    except SorterError as error:
        raise click.BadParameter(str(error)) from error
    return text


def _broker(text: str) -> str | None:
    from edge.config.outlets import host_name

    if not text.strip():
        return None
    host, colon, port = text.strip().partition(":")
    try:
        is_fit = bool(host_name(host)) and (not colon or (port.isdecimal() and 0 < int(port) < 65536))
    except ValueError:
        is_fit = False
    if not is_fit:
        raise click.BadParameter("expected host or host:port, such as broker.local:1883")
    return text.strip()


def _write(target: Path, text: str, check: Callable[[Path], object]) -> None:
    """Raises ConfigError where `check` refuses it together with what lies beside it; then nothing is kept."""
    from edge.files.whole_file import whole_file

    with whole_file(target) as unfinished:
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        try:
            check(unfinished)
        except ConfigError as error:
            found = str(error).replace(str(unfinished), str(target))
            raise ConfigError(f"{found}\nnothing was written: does conf.d beside it say otherwise?") from None
