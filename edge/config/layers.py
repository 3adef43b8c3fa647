"""Reading the configuration: files, then environment, then flags, merged in that order."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.config.complaints import explain
from edge.config.sections import Config
from edge.errors import ConfigError, MissingInputError, StorageError
from edge.site import SITE, default_site

SYSTEM_CONFIG = Path("/etc/sorter/sorter.toml")
ENVIRONMENT_PREFIX = "SORTER__"


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
        raise ConfigError(explain(invalid, origins, str(path or "configuration"))) from None


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


def with_site(config: Config) -> Config:
    """The configuration with the site file of this machine, where it names none and there is one."""
    if config.site is not None or not (default_site() / SITE).is_file():
        return config
    return config.model_copy(update={"site": default_site()})


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
