"""The owner's wish, as thresholds are fitted to it."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from calibration.scores.thresholds import Wish, cost_wish, precision_wish
from calibration.talk import Desk
from edge.deciding.decision import Cost
from edge.deciding.rules import CostTable
from edge.errors import ConfigError, MissingInputError, UsageError, first_problem
from edge.listing import some_of


class _CostFile(BaseModel):
    """What leaving an item costs, and what an item of a class costs in a bin."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    leave_cost: Cost = 0.5
    costs: dict[str, dict[str, Cost]] = {}


def wish_for(desk: Desk, precision: float | None, costs_path: Path | None, default: float) -> tuple[Wish, str]:
    """The wish that the options name, and how to call it.

    Raises:
        UsageError: both are given.
        ConfigError, MissingInputError: the cost file cannot be used.
    """
    if costs_path is None:
        share = default if precision is None else precision
        percent = Decimal(str(share)).scaleb(2).normalize()  # a wish is not rounded: 99.5 is not 100
        return precision_wish(share), f"{percent:f} % of what is sorted shall be right"
    if precision is not None:
        raise UsageError("--precision and --costs are two ways to say the same: give one of them")
    file = _load(costs_path)
    parts = desk.parts()
    labels = parts.classifier.labels
    if homeless := [label for label in labels if label not in parts.routing.bin_of_label]:
        raise ConfigError(
            f"no bin takes {some_of(homeless)}, so that nobody knows what a mistake about it costs: add it to the"
            " labels of a bin in the configuration, or forget it with `sorter teach --forget`"
        )
    try:
        in_bin = CostTable(file.costs, labels, parts.routing).of_bins()
    except ConfigError as error:  # which names the key as it stands in a configuration
        raise ConfigError(f"{costs_path}: {str(error).removeprefix('decision.')}") from None
    by_answer = np.stack([in_bin[parts.routing.bin_of_label[label]] for label in labels])
    return cost_wish(by_answer, file.leave_cost), f"as cheap as may be by {costs_path.name}"


def _load(path: Path) -> _CostFile:
    try:
        return _CostFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, IsADirectoryError):
        raise MissingInputError(f"no cost table at {path}: expected a TOML file with leave_cost and costs") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    except ValidationError as invalid:
        raise ConfigError(f"{path}: {first_problem(invalid)}") from None
