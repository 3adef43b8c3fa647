from __future__ import annotations

import keras
import numpy as np
import pytest

from train.fitting.average import WeightAverage


@pytest.fixture
def network() -> keras.Model:
    frozen = keras.layers.Dense(2, use_bias=False, name="frozen", trainable=False)
    return keras.Sequential([keras.Input((2,)), frozen, keras.layers.Dense(1, use_bias=False, name="free")])


def test_the_mean_follows_the_weights_by_its_momentum(network: keras.Model) -> None:
    free = network.get_layer("free")
    free.set_weights([np.zeros((2, 1))])
    average = WeightAverage(network, momentum=0.5)
    free.set_weights([np.ones((2, 1))])
    average.on_train_batch_end(0)  # (1 + 1) / (10 + 1) is below 0.5, so the start is nearly forgotten
    average.apply()
    assert free.get_weights()[0] == pytest.approx(np.full((2, 1), 9 / 11), rel=1e-6)


def test_the_networks_own_weights_come_back(network: keras.Model) -> None:
    free = network.get_layer("free")
    average = WeightAverage(network, momentum=0.99)
    free.set_weights([np.full((2, 1), 7.0)])
    with average.applied():
        assert free.get_weights()[0] != pytest.approx(np.full((2, 1), 7.0))
    assert free.get_weights()[0] == pytest.approx(np.full((2, 1), 7.0))


def test_frozen_layers_are_left_alone(network: keras.Model) -> None:
    average = WeightAverage(network, momentum=0.99)
    network.get_layer("frozen").set_weights([np.full((2, 2), 3.0)])
    average.apply()
    assert network.get_layer("frozen").get_weights()[0] == pytest.approx(np.full((2, 2), 3.0))
