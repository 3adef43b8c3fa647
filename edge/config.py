"""The device's configuration: TOML files, then environment, then flags; the last word wins.

    /etc/sorter/sorter.toml        the main file
    /etc/sorter/conf.d/*.toml      beside it, in the order of their names
    SORTER__MQTT__HOST=broker      environment: section and key, joined by two underscores
    --set mqtt.host=broker         flags

Unknown keys are errors, and every problem is named at once, with the place it came from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from edge.decision import DecisionSettings
from edge.errors import ConfigError, MissingInputError, StorageError
from edge.presence.settings import PresenceSettings
from edge.smoothing import SmoothingSettings

SYSTEM_CONFIG = Path("/etc/sorter/sorter.toml")
ENVIRONMENT_PREFIX = "SORTER__"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class Section(BaseModel):
    """A part of the configuration: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DeviceSection(Section):
    """Who this bin is; `id` names it in MQTT topics."""

    id: Name = "bin"


class UsbCameraSection(Section):
    """A V4L2 camera. `device` is a path, best one below /dev/v4l/by-id, which survives renumbering."""

    backend: Literal["usb"]
    device: str = "/dev/video0"
    width_px: int = Field(default=1280, ge=64, le=8192)
    height_px: int = Field(default=720, ge=64, le=8192)
    rate_hz: float = Field(default=30.0, gt=0, le=240)
    max_age_s: float = Field(default=2.0, gt=0, le=60)


class ReplayCameraSection(Section):
    """A video file or a folder of pictures, every frame once; `rate_hz` is for folders only."""

    backend: Literal["replay"]
    source: Path
    rate_hz: float = Field(default=12.0, gt=0, le=240)
    max_age_s: float = Field(default=2.0, gt=0, le=60)


class SimulatedCameraSection(Section):
    """Rendered items that come and go before a simulated camera; the same seed, the same film."""

    backend: Literal["simulated"] = "simulated"
    seed: int = Field(default=1, ge=0)
    num_items: int = Field(default=12, ge=1, le=100_000)
    rate_hz: float = Field(default=12.0, gt=0, le=240)
    max_age_s: float = Field(default=2.0, gt=0, le=60)


CameraSection = Annotated[
    UsbCameraSection | ReplayCameraSection | SimulatedCameraSection, Field(discriminator="backend")
]


class ModelSection(Section):
    """Which bundle runs, and how; no `bundle` means the shipped one."""

    bundle: Path | None = None
    backend: Literal["litert"] = "litert"
    threads: int = Field(default=2, ge=1, le=16)


class LogActuatorSection(Section):
    """Moves nothing and says so in the log."""

    kind: Literal["log"] = "log"


class GpioActuatorSection(Section):
    """One relay or LED on a GPIO line, by BCM number, on for `pulse_s`."""

    kind: Literal["gpio"]
    pin: int = Field(ge=0, le=53)
    active_high: bool = True
    pulse_s: float = Field(default=1.0, gt=0, le=60)


ActuatorSection = Annotated[LogActuatorSection | GpioActuatorSection, Field(discriminator="kind")]


class BinSection(Section):
    """One bin: the labels that go into it, and what opens it."""

    labels: tuple[str, ...] = ()
    takes_unknown: bool = False
    actuator: ActuatorSection = LogActuatorSection()


class MqttSection(Section):
    """The broker and how to get in; the password is best given by the environment.

    `use_tls` checks the broker against the system's certificates, `ca_file` against that file;
    `certificate_file` with `key_file` adds the bin's own.
    """

    host: str
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password: str | None = Field(default=None, repr=False)
    use_tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = Field(default=30, ge=5, le=3600)


class JournalSection(Section):
    """Where decisions are kept; no `path` means the state directory."""

    path: Path | None = None


class Config(Section):
    """The whole configuration, each part with its defaults."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    site: Path | None = None
    device: DeviceSection = DeviceSection()
    camera: CameraSection = SimulatedCameraSection()
    model: ModelSection = ModelSection()
    presence: PresenceSettings = PresenceSettings()
    smoothing: SmoothingSettings = SmoothingSettings()
    decision: DecisionSettings = DecisionSettings()
    bins: dict[Name, BinSection] = Field(default_factory=dict)
    mqtt: MqttSection | None = None
    journal: JournalSection = JournalSection()

    @model_validator(mode="after")
    def _one_hardware_line_each(self) -> Self:
        if sum(section.takes_unknown for section in self.bins.values()) > 1:
            raise ValueError("takes_unknown is set for more than one bin: at most one can take them")
        owner: dict[int, str] = {}
        for name, section in self.bins.items():
            if isinstance(section.actuator, GpioActuatorSection):
                other = owner.setdefault(section.actuator.pin, name)
                if other != name:
                    raise ValueError(f"pin {section.actuator.pin} serves bins.{other} and bins.{name}")
        return self


@dataclass(frozen=True, slots=True)
class _Layer:
    """One source of settings: `origin` is what an error calls it."""

    origin: str
    settings: Mapping[str, Any]


def load_config(
    path: Path | None = None,
    overrides: Iterable[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """The configuration in file `path` (None: no file), with conf.d beside it, environment and overrides.

    Raises:
        MissingInputError: there is no such file.
        ConfigError: a file is not TOML, or any setting is unknown, missing or out of range.
    """
    layers = [*_file_layers(path), *_environment_layers(environment), *_override_layers(overrides)]
    merged: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    for layer in layers:
        _merge(merged, layer.settings, origins, layer.origin, ())
    try:
        return Config.model_validate(merged)
    except ValidationError as invalid:
        raise ConfigError(_explain(invalid, origins, str(path or "configuration"))) from None


def find_config(path: Path | None) -> Path | None:
    """The file to read: the one asked for, else the system's when there is one, else none."""
    if path is not None:
        return path
    return SYSTEM_CONFIG if SYSTEM_CONFIG.is_file() else None


def with_choices(config: Config, bundle: Path | None, site: Path | None) -> Config:
    """The configuration with the bundle and the site file that the command line names, if any."""
    if bundle is not None:
        config = config.model_copy(update={"model": config.model.model_copy(update={"bundle": bundle})})
    return config if site is None else config.model_copy(update={"site": site})


def _file_layers(path: Path | None) -> list[_Layer]:
    if path is None:
        return []
    if not path.is_file():
        raise MissingInputError(
            f"no configuration at {path}: expected a TOML file; `sorter config show` prints the defaults"
        )
    files = [path, *sorted((path.parent / "conf.d").glob("*.toml"))]
    return [_Layer(str(file), _parse(file)) for file in files]


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}") from error


def _environment_layers(environment: Mapping[str, str]) -> list[_Layer]:
    return [
        _Layer(name, _nested(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"), value))
        for name, value in sorted(environment.items())
        if name.startswith(ENVIRONMENT_PREFIX)
    ]


def _override_layers(overrides: Iterable[str]) -> list[_Layer]:
    layers = []
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator or not key.strip():
            raise ConfigError(f"--set {override}: expected section.key=value, such as --set camera.backend=usb")
        layers.append(_Layer(f"--set {key}", _nested(key.strip().split("."), value)))
    return layers


def _nested(keys: list[str], text: str) -> dict[str, Any]:
    value: Any = _literal(text)
    for key in reversed(keys):
        value = {key: value}
    return value  # type: ignore[no-any-return]


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(
    into: dict[str, Any],
    settings: Mapping[str, Any],
    origins: dict[tuple[str, ...], str],
    origin: str,
    place: tuple[str, ...],
) -> None:
    for key, value in settings.items():
        here = (*place, key)
        origins[here] = origin
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value, origins, origin, here)
        elif isinstance(value, Mapping):
            into[key] = {}
            _merge(into[key], value, origins, origin, here)
        else:
            into[key] = value


def _explain(invalid: ValidationError, origins: Mapping[tuple[str, ...], str], default_origin: str) -> str:
    lines = []
    for error in invalid.errors(include_url=False):
        place = _written_place(error["loc"], origins)
        origin = next(
            (origins[place[:end]] for end in range(len(place), 0, -1) if place[:end] in origins), default_origin
        )
        lines.append(f"{origin}: {'.'.join(place) or 'the whole'}{_complaint(error['type'], error, place)}")
    return "\n".join(lines)


def _written_place(loc: tuple[int | str, ...], origins: Mapping[tuple[str, ...], str]) -> tuple[str, ...]:
    """The error's place as the owner wrote it: pydantic adds the tag of a chosen union member."""
    place: tuple[str, ...] = ()
    for index, part in enumerate(map(str, loc)):
        is_tag = part in _TAGS and (*place, part) not in origins and index > 0
        place = place if is_tag else (*place, part)
    return place


def _complaint(kind: str, error: Any, place: tuple[str, ...]) -> str:
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        allowed = _allowed_keys(place[:-1])
        near = get_close_matches(place[-1], allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f" = {error['input']!r} is not a setting{hint} (allowed: {', '.join(allowed)})"
    if kind == "missing":
        return " is missing"
    found = "" if isinstance(error["input"], dict | BaseModel) else f" = {error['input']!r}"
    return f"{found}: {error['msg'].removeprefix('Value error, ')}"


def _allowed_keys(place: tuple[str, ...]) -> list[str]:
    """The keys that a section may have, read from the schema; of all variants where there are several."""
    schema = Config.model_json_schema()
    found = [schema]
    for part in place:
        found = [child for node in found for child in _children(node, part, schema)]
    return sorted({key for node in found for key in node.get("properties", {})})


def _children(node: Mapping[str, Any], part: str, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    child = node.get("properties", {}).get(part) or node.get("additionalProperties") or _of_pattern(node)
    return _variants(child, schema) if isinstance(child, dict) else []


def _of_pattern(node: Mapping[str, Any]) -> dict[str, Any] | None:
    return next(iter(node.get("patternProperties", {}).values()), None)


def _variants(node: dict[str, Any], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _variants(schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], schema)
    options = node.get("anyOf") or node.get("oneOf")
    return [variant for option in options for variant in _variants(option, schema)] if options else [node]


# The names of union members, which pydantic puts into an error's place although no file holds them.
_TAGS = frozenset({"usb", "replay", "simulated", "log", "gpio"})
