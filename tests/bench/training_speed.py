"""How fast training goes on this machine, and how long the network waits for pictures.

    python -m tests.bench.training_speed --data DATA [--recipe efficientnet-lite0] [--batches 40] [--threads 2]

Pictures per second over whole steps: augmentation, forward, backward and the optimizer's update. Two shares of a step
are told apart: the time between one step's end and the next one's start, when the network waits for pictures, and what
the whole epoch takes longer than the same steps on batches that lie ready, since augmentation needs the cores as well.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", default="efficientnet-lite0")
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(arguments.threads)
    measure(arguments.data, arguments.recipe, arguments.batches)


def measure(data: Path, recipe_name: str, num_batches: int) -> None:
    import keras  # noqa: PLC0415, after the environment is set

    from edge.data_folder import scan  # noqa: PLC0415
    from train.fitting.phases import make_loss, make_optimizer  # noqa: PLC0415
    from train.networks.model import build_model, load_weights, set_trainable  # noqa: PLC0415
    from train.pictures.material import load_material  # noqa: PLC0415
    from train.recipes import load_recipe  # noqa: PLC0415
    from train.splits import with_splits  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    dataset = few(with_splits(scan(data), recipe.data, 0), num_batches * recipe.fit.batch_size)
    material = load_material(dataset, recipe, 0, Path())
    model = build_model(recipe, len(dataset.labels), recipe.network.train_px)
    load_weights(model, recipe, "imagenet")
    set_trainable(model, recipe.phases[0].trainable)
    network = keras.Model(model.input, model.output["logits"])
    network.compile(make_optimizer(recipe.fit, recipe.phases[0], num_batches), make_loss(recipe.fit), jit_compile=False)

    batches = material.batches(0)
    ready = [batches[index] for index in range(len(batches))]
    network.train_on_batch(*ready[0][:2], sample_weight=ready[0][2])  # traced once
    started_s = time.perf_counter()
    for images, targets, weights in ready:
        network.train_on_batch(images, targets, sample_weight=weights)
    bare_s = time.perf_counter() - started_s
    network.fit(batches, epochs=1, shuffle=False, verbose=0)  # traced once more, for the way that fit passes batches
    marks_s: list[float] = []
    timer = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda *_, **__: marks_s.append(-time.perf_counter()),
        on_train_batch_end=lambda *_, **__: marks_s.append(time.perf_counter()),
    )
    started_s = time.perf_counter()
    network.fit(material.batches(1), epochs=1, shuffle=False, verbose=0, callbacks=[timer])
    whole_s = time.perf_counter() - started_s
    num_pictures = len(material.sources)
    print(f"{recipe_name} at {recipe.network.train_px}: {num_pictures / whole_s:.1f} pictures/s")
    print(f"waiting for pictures {1 - sum(marks_s) / whole_s:.1%} of the epoch")
    slower = max(0.0, 1 - bare_s / whole_s)
    print(f"on ready batches {num_pictures / bare_s:.1f} pictures/s; making pictures costs {slower:.1%} of the epoch")
    started_s = time.perf_counter()
    _ = [batches[index] for index in range(len(batches))]
    print(f"augmentation alone, one thread: {num_pictures / (time.perf_counter() - started_s):.1f} pictures/s")


def few(dataset, num_pictures: int):
    """The data with so many training pictures, spread over the classes, and few held out."""
    from dataclasses import replace  # noqa: PLC0415

    train, val = dataset.of("train"), dataset.of("val")
    rows = train[:: max(1, len(train) // num_pictures)][:num_pictures] + val[:: max(1, len(val) // 8)]
    return replace(dataset, rows=rows)


if __name__ == "__main__":
    main()
