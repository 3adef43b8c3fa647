from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import ConfigError, MissingInputError
from train.recipes import Recipe, load_recipe, recipe_names, recipe_summary


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_is_sound_and_gives_each_value_a_reason(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.augment.zoom_min <= recipe.augment.zoom_max
    assert recipe_summary(name)
    text = (Path(__file__).parents[2] / "train" / "recipes" / f"{name}.toml").read_text()
    before_augment, _, _ = text.partition("[augment]")  # there a heading may give the reason of several ranges
    unexplained = [line for line in before_augment.splitlines() if " = " in line and "#" not in line]
    assert all(line.startswith(("backbone", "batch_size")) for line in unexplained)


def test_overrides_win_and_keep_their_type() -> None:
    recipe = load_recipe("efficientnet-lite0", ["fit.batch_size=3", "network.backbone=efficientnet-lite1"])
    assert (recipe.fit.batch_size, recipe.network.backbone) == (3, "efficientnet-lite1")


def test_a_finished_run_lends_its_recipe(trained: tuple[Path, object], small_recipe: Recipe) -> None:
    assert load_recipe(str(trained[0])) == small_recipe
    assert load_recipe(str(trained[0]), ["fit.batch_size=3"]).fit.batch_size == 3


def test_one_phase_or_all_of_them_can_be_overridden() -> None:
    both = load_recipe("resnet50", ["phases.*.epochs=3", "phases.1.trainable=last 7"])
    assert [(phase.epochs, phase.trainable) for phase in both.phases] == [(3, "head"), (3, "last 7")]


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("efficientnet-lite0", "network.hidden=64", r"\[head\]"),
        ("cnn", "network.hidden=0", "flattened features need a hidden layer"),
        ("cnn", "network.input_px=96", "flattened features need train_px"),
        ("cnn", "data.test_share=0.8", "leave nothing to train on"),
        ("cnn", "phases.0.warmup_epochs=1", "phases.0: warmup_epochs: only the cosine schedule warms up"),
        ("cnn", "phases.0.plateau_factor=0.5", "only the plateau schedule waits, found schedule 'constant'"),
        ("cnn", "fit.weight_decay=0.1", "only adamw decays weights, found optimizer 'adam'"),
        ("cnn", "phases.0.trainable=top 3", "phases.0.trainable"),
        ("cnn", "phases.0.learning_rate=inf", "phases.0.learning_rate: Input should be a finite number"),
        ("cnn", "augment.square_margin_min=nan", "augment.square_margin_min: Input should be a finite number"),
        ("cnn", "augment.shift=1e6", "augment.shift: Input should be less than or equal to 2, found 1000000.0"),
        ("cnn", "augment.coarse_min=0.001", "augment.coarse_min: Input should be greater than or equal to 0.05"),
        ("cnn", "augment.zoom_min=2", "zoom_min is above zoom_max: expected a range, found 2 to 1.2"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(name: str, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe(name, [override])


def test_all_problems_are_named_at_once() -> None:
    wrong = ["fit.batches=3", "fit.batch_size=0", "data.class_weights=often"]
    with pytest.raises(ConfigError) as caught:
        load_recipe("efficientnet-lite0", wrong)
    assert all(
        part in str(caught.value)
        for part in ("fit.batches is not a setting", "fit.batch_size:", "found 0", "found 'often'")
    )


@pytest.mark.parametrize(
    "override", ["epochs=3", "fit.batch_size", "=3", "fit.=3", "a.b.c=3", "phases.epochs=3", "phases.1.epochs=3"]
)
def test_a_malformed_override_shows_the_form(override: str) -> None:
    with pytest.raises(ConfigError, match=r"--set .*: expected section\.key=value"):
        load_recipe("efficientnet-lite0", [override])


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(MissingInputError, match=r"expected one of .*efficientnet-lite0"):
        load_recipe("efficientnet-lite9")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[fit\n")
    with pytest.raises(ConfigError, match=r"mine\.toml is not TOML"):
        load_recipe(str(tmp_path / "mine.toml"))
