"""Recipes: one TOML file each, every value with its reason; any value can be overridden on the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.errors import ConfigError, MissingInputError
from edge.run import RUN_FILE, load_run

_FOLDER = Path(__file__).parent / "recipes"

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Pixels = Annotated[int, Field(ge=32, le=1024)]

# What augmentation may do at most, so that something of the picture is left, and each takes milliseconds: the border
# of one drawn a million times too small is mirrored a million times for every pixel.
Margin = Annotated[float, Field(ge=-0.4, le=4)]
Zoom = Annotated[float, Field(ge=0.1, le=10)]
Degrees = Annotated[float, Field(ge=0, le=180)]
Strength = Annotated[float, Field(ge=0, le=2)]
Stops = Annotated[float, Field(ge=0, le=8)]
Levels = Annotated[float, Field(ge=0, le=255)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Network(_Section):
    """Layers and sizes: trained on squares of `train_px`, shipped for squares of `input_px`.

    Between backbone and logits lie pooling, batch norm where `pool_norm` is set, a dense ReLU layer of `hidden`
    units (0: none) and dropout. `input_scale` is what the backbone sees: `own`, as its ImageNet weights were
    trained, or `unit`, 0..1. `width` scales the channels of mobilenetv2.
    """

    backbone: str
    train_px: Pixels
    input_px: Pixels
    width: Positive = 1.0
    input_scale: Literal["own", "unit"] = "own"
    pool: Literal["average", "flatten"] = "average"
    pool_norm: bool = False
    hidden: Annotated[int, Field(ge=0)] = 0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Data(_Section):
    """How pictures are split and weighed.

    `split`: `grouped` never divides an object, by `groups.csv` or by found look-alikes, and follows the splits of
    `groups.csv` where it has them; `random` divides them. `test_share` is held out for one last look. `class_weights`
    weigh the loss, `sampling` shows rare classes as often as the others.
    """

    val_share: Annotated[float, Field(gt=0, lt=1)]
    test_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    split: Literal["grouped", "random"] = "grouped"
    class_weights: Literal["none", "sqrt", "balanced"] = "none"
    sampling: Literal["natural", "balanced"] = "natural"


class Head(_Section):
    """The linear probe on frozen features that gives the head its first weights."""

    passes: Annotated[int, Field(ge=1)]
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Positive


class Fit(_Section):
    """What all phases share. `keep` is what ships: the weights of the last epoch, or of the least validation loss.

    Where a run has teachers, `teacher_share` of each target is what they answer, and the rest the smoothed label.
    """

    batch_size: Annotated[int, Field(ge=1)]
    optimizer: Literal["adam", "adamw"]
    weight_decay: NotNegative = 0.0
    loss: Literal["cross-entropy", "focal"] = "cross-entropy"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    average_momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    keep: Literal["last", "best"] = "last"
    teacher_share: Annotated[float, Field(gt=0, le=1)] = 0.7

    @model_validator(mode="after")
    def _decays_with_adamw(self) -> Self:
        if self.weight_decay and self.optimizer != "adamw":
            raise ValueError(f"weight_decay: only adamw decays weights, found optimizer {self.optimizer!r}")
        return self


class Phase(_Section):
    """A stretch of epochs with the same layers trained.

    `trainable`: `all`, `head` (all behind the backbone), `last N` (of the backbone's layers, as Keras lists them, and
    the head) or `from NAME` (the first layer whose name begins so, and all behind it). Without ImageNet weights
    all is trained. `schedule`: `constant`, `cosine` down to zero, or `plateau`, which multiplies the rate by
    `plateau_factor` after `plateau_patience` epochs without a lower validation loss. `stop_patience` ends the phase
    after so many (0: never). `train_px` stands in for the network's.
    """

    epochs: Annotated[int, Field(ge=1)]
    trainable: Annotated[str, Field(pattern=r"^(all|head|last [1-9]\d*|from \S+)$")]
    learning_rate: Positive
    schedule: Literal["constant", "cosine", "plateau"]
    warmup_epochs: NotNegative = 0.0
    plateau_patience: Annotated[int, Field(ge=1)] = 5
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    stop_patience: Annotated[int, Field(ge=0)] = 0
    train_px: Pixels | None = None

    @model_validator(mode="after")
    def _fits_its_schedule(self) -> Self:
        if self.warmup_epochs and self.schedule != "cosine":
            raise ValueError(f"warmup_epochs: only the cosine schedule warms up, found schedule {self.schedule!r}")
        for name in ("plateau_patience", "plateau_factor"):
            if getattr(self, name) != type(self).model_fields[name].default and self.schedule != "plateau":
                raise ValueError(f"{name}: only the plateau schedule waits, found schedule {self.schedule!r}")
        return self


class Augment(_Section):
    """Ranges of `train.pictures.augment`, all off by default.

    A `_share` is the part of the pictures that is changed, and 0 switches that change off, whatever its range.
    Half of the pictures are mirrored left to right wherever `flips` is not `none`.
    """

    plain_share: Share = 0.0
    square_share: Share = 0.0
    square_margin_min: Margin = 0.0
    square_margin_max: Margin = 0.0
    widen_max: Annotated[float, Field(ge=1, le=4)] = 1.0
    zoom_min: Zoom = 1.0
    zoom_max: Zoom = 1.0
    aspect: Strength = 0.0
    shift: Annotated[float, Field(ge=0, le=2)] = 0.0
    rotation_deg: Degrees = 0.0
    shear_deg: Annotated[float, Field(ge=0, le=80)] = 0.0
    flips: Literal["none", "horizontal", "both"] = "horizontal"
    fill: Literal["varied", "nearest"] = "varied"
    background_share: Share = 0.0
    cast_shadow_share: Share = 0.0
    translucent_share: Share = 0.0
    clear_labels: tuple[str, ...] = ()
    sheet_labels: tuple[str, ...] = ()
    white_balance: Strength = 0.0
    exposure_stops: Stops = 0.0
    dim_share: Share = 0.0
    dim_stops: Stops = 0.0
    channel_shift: Levels = 0.0
    contrast: Strength = 0.0
    gamma: Strength = 0.0
    saturation: Strength = 0.0
    shadow_share: Share = 0.0
    coarse_share: Share = 0.0
    coarse_min: Annotated[float, Field(ge=0.05, le=1)] = 1.0
    blur_share: Share = 0.0
    blur_sigma_px: Annotated[float, Field(ge=0, le=50)] = 0.0
    noise_share: Share = 0.0
    noise_sigma: Levels = 0.0
    jpeg_share: Share = 0.0
    jpeg_quality_min: Annotated[int, Field(ge=1, le=95)] = 50
    erase_share: Share = 0.0

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        for name in ("square_margin", "zoom"):
            least, most = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if least > most:
                raise ValueError(f"{name}_min is above {name}_max: expected a range, found {least:g} to {most:g}")
        return self


class Recipe(_Section):
    """Everything that decides a training run besides the pictures, the weights and the seed."""

    network: Network
    data: Data
    head: Head | None = None
    fit: Fit
    phases: tuple[Phase, ...] = Field(min_length=1)
    augment: Augment = Augment()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.head and (self.network.hidden or self.network.pool_norm):
            raise ValueError(
                "head: a linear probe fits networks without hidden layer and pool_norm only: remove [head]"
            )
        if self.network.pool == "flatten" and not self.network.hidden:
            raise ValueError("network.hidden: flattened features need a hidden layer, found 0")
        sizes = {self.network.input_px, self.network.train_px, *(phase.train_px for phase in self.phases)} - {None}
        if self.network.pool == "flatten" and len(sizes) > 1:
            raise ValueError(
                "network: flattened features need train_px, input_px and every phase's train_px to be equal"
            )
        if self.data.val_share + self.data.test_share >= 1:
            raise ValueError("data: val_share and test_share leave nothing to train on")
        return self

    @property
    def num_epochs(self) -> int:
        """Epochs of all phases, where none ends early."""
        return sum(phase.epochs for phase in self.phases)


def recipe_names() -> tuple[str, ...]:
    """The recipes that ship."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """A shipped recipe by name, or that of a file or of a finished run, with overrides in TOML's notation.

    An override is `section.key=value`.

    Raises:
        MissingInputError: no recipe of that name, no such file, and no such run.
        ConfigError: unknown or missing keys or values out of range, all named at once.
        InvalidDataError: the run's own record is damaged.
    """
    of_run = Path(name) / RUN_FILE
    if of_run.is_file():
        return _validated(dict(load_run(of_run.parent).settings), overrides, str(of_run))
    path = Path(name) if name.endswith(".toml") else _FOLDER / f"{name}.toml"
    if not path.is_file():
        raise MissingInputError(
            f"no recipe {name}: expected one of {', '.join(recipe_names())}, a .toml file, or a finished run"
        )
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    return _validated(settings, overrides, str(path))


def recipe_summary(name: str) -> str:
    """The first line of a shipped recipe: what it is for."""
    first, _, _ = (_FOLDER / f"{name}.toml").read_text(encoding="utf-8").partition("\n")
    return first.removeprefix("#").strip()


def _validated(settings: dict[str, Any], overrides: Sequence[str], where: str) -> Recipe:
    for override in overrides:
        _apply(settings, override)
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        raise ConfigError("\n".join(_problems(error, overrides, where))) from error


def _apply(settings: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    *sections, key = name.strip().split(".")
    if not (equals and key and sections and all(sections)):
        raise ConfigError(f"--set {override}: expected section.key=value, such as fit.batch_size=16")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()  # a bare word is a string: --set network.backbone=efficientnet-lite1
    for section in _sections(settings, sections, override):
        section[key] = parsed


def _sections(settings: dict[str, Any], names: Sequence[str], override: str) -> list[dict[str, Any]]:
    """What an override changes: a section, one phase by its number from 0, or with `*` every phase."""
    if len(names) == 1 and names[0] != "phases":
        return [settings.setdefault(names[0], {})]
    phases: list[dict[str, Any]] = settings.get("phases", [])
    if names == ["phases", "*"]:
        return phases
    if len(names) == 2 and names[0] == "phases" and names[1].isdecimal() and int(names[1]) < len(phases):
        return [phases[int(names[1])]]
    raise ConfigError(
        f"--set {override}: expected section.key=value or phases.N.key=value with N from 0 to {len(phases) - 1}, or *"
    )


def _problems(error: ValidationError, overrides: Sequence[str], where: str) -> list[str]:
    """A line for each mistake: the option or the file that it came from, what was found, what is allowed."""
    mistakes = error.errors()
    places = {mistake["loc"] for mistake in mistakes}
    # Of a section that holds a mistake pydantic says once more that the whole is wrong.
    inner = [m for m in mistakes if not any(p[: len(m["loc"])] == m["loc"] != p for p in places if m["loc"])]
    return [
        f"{_origin(m['loc'], overrides, where)}: {_problem(m['type'], m['loc'], m['msg'], m['input'])}" for m in inner
    ]


def _origin(place: tuple[int | str, ...], overrides: Sequence[str], where: str) -> str:
    """The last override that set `place`, else the file."""
    name = ".".join(map(str, place))
    setting = (override for override in reversed(overrides) if fnmatchcase(name, override.partition("=")[0].strip()))
    return next((f"--set {override}" for override in setting), where)


def _problem(kind: str, place: tuple[int | str, ...], message: str, found: object) -> str:
    name, message = ".".join(map(str, place)), message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        allowed = _keys_beside(place)
        near = get_close_matches(str(place[-1]), allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{name} is not a setting{hint} (allowed: {', '.join(allowed)})"
    if not name:  # the sections do not fit together, and the message names the keys
        return message
    return f"{name}: {message}" if isinstance(found, dict) else f"{name}: {message}, found {found!r}"


def _keys_beside(place: tuple[int | str, ...]) -> list[str]:
    if len(place) == 1:
        return [*Recipe.model_fields]
    sections: dict[int | str, type[_Section]] = {
        "network": Network,
        "data": Data,
        "head": Head,
        "fit": Fit,
        "phases": Phase,
        "augment": Augment,
    }
    return [*sections[place[0]].model_fields]
