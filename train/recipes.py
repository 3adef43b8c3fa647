"""Recipes: one TOML file each, every value with its reason; any value can be overridden on the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import ConfigError, MissingInputError

_FOLDER = Path(__file__).parent / "recipes"

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(_Section):
    """Backbone and sizes: trained on squares of `train_px`, shipped for squares of `input_px`."""

    backbone: str
    train_px: Annotated[int, Field(ge=32, le=1024)]
    input_px: Annotated[int, Field(ge=32, le=1024)]
    dropout: Share
    frozen_stages: Annotated[int, Field(ge=0, le=9)]


class Data(_Section):
    """How pictures are split (where `groups.csv` does not say) and weighed."""

    val_share: Annotated[float, Field(gt=0, lt=1)]
    class_weights: Literal["none", "sqrt", "balanced"]


class Head(_Section):
    """The linear probe on frozen features that gives the head its first weights."""

    passes: Annotated[int, Field(ge=1)]
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Positive


class Fit(_Section):
    """Fine-tuning of the network."""

    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    learning_rate: Positive
    warmup_epochs: NotNegative
    weight_decay: NotNegative
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    average_momentum: Annotated[float, Field(ge=0, lt=1)]


class Augment(_Section):
    """Ranges of `train.augment`; a `_share` is the part of the pictures that a change is applied to."""

    plain_share: Share
    square_share: Share
    square_margin_min: float
    square_margin_max: float
    widen_max: Annotated[float, Field(ge=1)] = 1.0
    zoom_min: Positive
    zoom_max: Positive
    aspect: NotNegative
    shift: NotNegative
    rotation_deg: NotNegative
    background_share: Share
    cast_shadow_share: Share = 0.0
    translucent_share: Share
    clear_labels: tuple[str, ...] = ()
    white_balance: NotNegative
    exposure_stops: NotNegative
    contrast: NotNegative
    gamma: NotNegative
    saturation: NotNegative
    shadow_share: Share
    coarse_share: Share = 0.0
    coarse_min: Annotated[float, Field(gt=0, le=1)] = 1.0
    blur_share: Share
    blur_sigma_px: NotNegative
    noise_share: Share
    noise_sigma: NotNegative
    jpeg_share: Share
    jpeg_quality_min: Annotated[int, Field(ge=1, le=100)]
    erase_share: Share


class Recipe(_Section):
    """Everything that decides a training run besides the pictures, the weights and the seed."""

    network: Network
    data: Data
    head: Head
    fit: Fit
    augment: Augment


def recipe_names() -> tuple[str, ...]:
    """The recipes that ship."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """A shipped recipe by name, or one by path, with `section.key=value` overrides in TOML's notation.

    Raises:
        MissingInputError: no recipe of that name and no such file.
        ConfigError: unknown or missing keys or values out of range, all named at once.
    """
    path = Path(name) if name.endswith(".toml") else _FOLDER / f"{name}.toml"
    if not path.is_file():
        raise MissingInputError(f"no recipe {name}: expected one of {', '.join(recipe_names())}, or a .toml file")
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    for override in overrides:
        _apply(settings, override)
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        problems = "; ".join(_problem(item["loc"], item["msg"], item["input"]) for item in error.errors())
        raise ConfigError(f"{path}: {problems}") from error


def _apply(settings: dict[str, dict[str, object]], override: str) -> None:
    name, equals, value = override.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise ConfigError(f"--set {override}: expected section.key=value, such as fit.epochs=20")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()  # a bare word is a string: --set network.backbone=efficientnet-lite1
    settings.setdefault(section, {})[key] = parsed


def _problem(location: tuple[int | str, ...], message: str, found: object) -> str:
    name = ".".join(str(part) for part in location)
    return f"{name}: {message}" if isinstance(found, dict) else f"{name}: {message}, found {found!r}"
