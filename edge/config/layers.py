"""Reading the configuration: files, then environment, then flags, merged in that order."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.config import schema
from edge.config.complaints import Check, Complaint, mistakes_in, without
from edge.config.contradictions import contradictions
from edge.config.lines import Place, lines_of, what_is_wrong
from edge.config.sections import Config, SimulatedCameraSection
from edge.errors import AccessDeniedError, ConfigError, MissingInputError, SorterError, StorageError
from edge.site import SITE, default_site

SYSTEM_CONFIG = Path("/etc/sorter/sorter.toml")
ENVIRONMENT_PREFIX = "SORTER__"


@dataclass(frozen=True, slots=True)
class _Layer:
    """One source of settings: `origin` is what an error calls it, `lines` tells where its keys stand."""

    origin: str
    settings: Mapping[str, Any]
    lines: Mapping[Place, int] = field(default_factory=dict)

    def origin_of(self, place: Place) -> str:
        """This source, and the line of `place` or of the table around it."""
        lines = (self.lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in self.lines)
        number = next(lines, None)
        return self.origin if number is None else f"{self.origin}:{number}"


def load_config(
    path: Path | None = None,
    overrides: Iterable[str] = (),
    environment: Mapping[str, str] = os.environ,
    checks: Sequence[Check] = (),
) -> Config:
    """The configuration in file `path` (None: no file), with conf.d beside it, environment and overrides.

    `checks` find what is wrong beyond the schema, such as labels that the model does not know; where
    the schema is broken they see what is left without the broken settings, so that every mistake is
    named at once.

    Raises:
        MissingInputError: there is no such file.
        ConfigError: a file is not TOML, or any setting is unknown, missing, out of range or does not fit.
        AccessDeniedError, StorageError: a file, or the folder `conf.d`, cannot be read.
        SorterError: the only thing wrong is what a check met, such as a damaged bundle.
    """
    files = _file_layers(path)
    layers = [*files, *_environment_layers(environment), *_override_layers(overrides)]
    merged: dict[str, Any] = {}
    origins: dict[Place, str] = {}
    for layer in layers:
        _merge(merged, layer.settings, origins, layer, ())
    _name_camera(merged, is_in_file=any("camera" in layer.settings for layer in files))
    config, complaints = _judge(merged, (contradictions, *checks))
    if config is None or complaints:
        raise _refusal(complaints, origins, str(path or "configuration"))
    return config


def check(config: Config, checks: Sequence[Check]) -> None:
    """Find what is wrong with a configuration that was loaded before.

    Raises:
        ConfigError, SorterError: as `load_config`.
    """
    if complaints := [complaint for one in checks for complaint in one(config)]:
        raise _refusal(complaints, {}, "configuration")


def _refusal(complaints: Sequence[Complaint], origins: Mapping[Place, str], default_origin: str) -> SorterError:
    if len(complaints) == 1 and complaints[0].error is not None:
        return complaints[0].error
    return ConfigError("\n".join(complaint.line(origins, default_origin) for complaint in complaints))


def _judge(written: Mapping[str, Any], checks: Sequence[Check]) -> tuple[Config | None, list[Complaint]]:
    """The configuration, and all complaints about it; with any of them it is only good for further checks."""
    try:
        config = Config.model_validate(written)
    except ValidationError as invalid:
        mistakes = mistakes_in(invalid, written)
    else:
        return config, [complaint for check in checks for complaint in check(config)]
    try:
        config = Config.model_validate(without(written, mistakes.unusable))
    except ValidationError:
        return None, list(mistakes.complaints)
    further = [complaint for check in checks for complaint in check(config) if not mistakes.hides(complaint.place)]
    return config, [*mistakes.complaints, *further]


def _name_camera(written: dict[str, Any], *, is_in_file: bool) -> None:
    """Fill in the camera's backend where the other keys leave no doubt, or only alter the default."""
    camera = written.get("camera")
    if not isinstance(camera, dict) or "backend" in camera:
        return
    fitting = schema.variants_with(("camera",), "backend", list(camera))
    default = SimulatedCameraSection().backend
    if len(fitting) == 1:
        camera["backend"] = fitting[0]
    elif default in fitting and not is_in_file:
        camera["backend"] = default


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
    return [_parse(file) for file in (path, *_further_files(path.parent / "conf.d"))]


def _further_files(folder: Path) -> list[Path]:
    """The files in `conf.d`, in their order; hidden ones are an editor's."""
    if not folder.is_dir():
        return []
    with _reading(folder):  # a folder that may not be looked into is no empty one
        return sorted(file for file in folder.iterdir() if file.suffix == ".toml" and not file.name.startswith("."))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise AccessDeniedError(
            f"{path}: this user may not read it: use sudo, or add the user to the group that may"
        ) from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error


def _parse(file: Path) -> _Layer:
    text = ""
    try:
        with _reading(file):
            text = file.read_text(encoding="utf-8-sig")  # some editors put a mark before the first line
        return _Layer(str(file), tomllib.loads(text), lines_of(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}{what_is_wrong(text, error)}") from None
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{number}: expected text in UTF-8, found other bytes: save it as UTF-8") from None


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
    value: Any = _literal(text, keys)
    for key in reversed(keys):
        value = {key: value}
    return value  # type: ignore[no-any-return]


def _literal(text: str, place: Sequence[str]) -> Any:
    """The TOML value that `text` is; the text itself where it is none, or where a text is wanted: a password 1234."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    if isinstance(value, str | list | dict):
        return value
    return text if schema.wants_text(place, value) else value


def _merge(
    into: dict[str, Any],
    settings: Mapping[str, Any],
    origins: dict[Place, str],
    layer: _Layer,
    place: Place,
) -> None:
    for key, value in settings.items():
        here = (*place, key)
        if isinstance(value, Mapping):
            # A section is where it was first named; a setting where it got its last word.
            origins.setdefault(here, layer.origin_of(here))
            if not isinstance(into.get(key), dict):
                into[key] = {}
            _merge(into[key], value, origins, layer, here)
        else:
            origins[here] = layer.origin_of(here)
            into[key] = value
