from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import ConfigError, MissingInputError
from train.recipes import load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_is_sound_and_gives_each_value_a_reason(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.augment.zoom_min < recipe.augment.zoom_max
    text = (Path(__file__).parents[2] / "train" / "recipes" / f"{name}.toml").read_text()
    values = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    assert len(values) == sum(len(section) for section in recipe.model_dump().values())


def test_overrides_win_and_keep_their_type() -> None:
    recipe = load_recipe("efficientnet-lite0", ["fit.epochs=3", "network.backbone=efficientnet-lite1"])
    assert (recipe.fit.epochs, recipe.network.backbone) == (3, "efficientnet-lite1")


def test_all_problems_are_named_at_once() -> None:
    wrong = ["fit.epoch=3", "fit.batch_size=0", "data.class_weights=often"]
    with pytest.raises(ConfigError) as caught:
        load_recipe("efficientnet-lite0", wrong)
    assert all(part in str(caught.value) for part in ("fit.epoch:", "fit.batch_size:", "found 0", "found 'often'"))


@pytest.mark.parametrize("override", ["epochs=3", "fit.epochs", "=3", "fit.=3"])
def test_a_malformed_override_shows_the_form(override: str) -> None:
    with pytest.raises(ConfigError, match=r"expected section\.key=value"):
        load_recipe("efficientnet-lite0", [override])


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(MissingInputError, match=r"expected one of .*efficientnet-lite0"):
        load_recipe("efficientnet-lite9")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[fit\n")
    with pytest.raises(ConfigError, match=r"mine\.toml is not TOML"):
        load_recipe(str(tmp_path / "mine.toml"))
