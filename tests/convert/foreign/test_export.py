from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from convert.bundle.draft import Draft
from convert.bundle.writer import write_bundle
from convert.foreign.export import ForeignSettings, _normalization, _representative, draft_foreign
from convert.foreign.labels import read_labels
from convert.proof.golden import golden_pictures
from convert.tflite.anatomy import read_anatomy
from convert.tflite.rescaling import BYTES, Normalization
from edge.bundle import Bundle, Precision
from edge.classifiers.litert import LiteRTClassifier
from edge.errors import InvalidDataError, MissingInputError, UsageError
from edge.preprocess import Image, InputSpec
from edge.run import MODEL_FILE

HALF = Normalization(127.5, 127.5)


@pytest.fixture(scope="session")
def foreign_keras() -> keras.Model:
    """A classifier as others make it: pictures in -1..1, three probabilities."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((24, 40, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


@pytest.fixture
def keras_file(foreign_keras: keras.Model, tmp_path: Path) -> Path:
    foreign_keras.save(tmp_path / "other.keras")
    return tmp_path / "other.keras"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    (tmp_path / "labels.txt").write_text("0 can\n1 cup\n2 lid\n")
    return tmp_path / "labels.txt"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Representative pictures: the golden ones will do."""
    folder = tmp_path / "pictures" / "any"
    folder.mkdir(parents=True)
    for name, picture in golden_pictures(InputSpec(60, 80)).items():
        cv2.imwrite(str(folder / f"{name}.png"), picture[..., ::-1])
    return folder.parent


def tflite_of(model: keras.Model, **options: object) -> bytes:
    """As a stranger would convert it: no metadata, no rescaling inside."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    for name, value in options.items():
        setattr(converter, name, value)
    return bytes(converter.convert())


def samples() -> Iterator[list[np.ndarray]]:
    for picture in golden_pictures(InputSpec(24, 40)).values():
        yield [(picture[None].astype(np.float32) - 127.5) / 127.5]


def quantized(model: keras.Model) -> bytes:
    return tflite_of(
        model,
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=samples,
        inference_input_type=tf.uint8,
        inference_output_type=tf.uint8,
    )


def scores(draft: Draft, out: Path) -> Mapping[str, np.ndarray]:
    bundle = write_bundle(out, draft.manifest, draft.files, should_replace=False)
    classifier = LiteRTClassifier(bundle)
    return {name: classifier.classify(picture).scores for name, picture in golden_pictures(InputSpec(24, 40)).items()}


def wanted(model: keras.Model, picture: Image) -> np.ndarray:
    return np.asarray(model((picture[None].astype(np.float32) - 127.5) / 127.5))[0]


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("float16", 5e-3), ("int8", 0.05)])
def test_a_keras_file_answers_as_before(
    keras_file: Path,
    foreign_keras: keras.Model,
    labels: Path,
    pictures: Path,
    tmp_path: Path,
    precision: Precision,
    tolerance: float,
) -> None:
    """The tolerances: float rounding, half floats' 10 bits, and some steps of 1/256 through three layers."""
    settings = ForeignSettings(labels=labels, normalization=HALF, precision=precision, pictures=pictures)
    draft = draft_foreign(keras_file, settings)

    assert draft.manifest.labels == ("can", "cup", "lid")
    assert draft.manifest.precision == precision
    assert draft.manifest.outputs.are_probabilities
    for name, found in scores(draft, tmp_path / "bundle").items():
        picture = golden_pictures(InputSpec(24, 40))[name]
        assert found == pytest.approx(wanted(foreign_keras, picture), abs=tolerance)


def test_a_saved_model_answers_as_before(foreign_keras: keras.Model, labels: Path, tmp_path: Path) -> None:
    foreign_keras.export(tmp_path / "saved", verbose=False)
    settings = ForeignSettings(labels=labels, normalization=HALF, precision="float32")

    for name, found in scores(draft_foreign(tmp_path / "saved", settings), tmp_path / "bundle").items():
        picture = golden_pictures(InputSpec(24, 40))[name]
        assert found == pytest.approx(wanted(foreign_keras, picture), abs=1e-4)


def test_a_label_that_cannot_be_a_class_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("can\nCD/DVD\n")
    with pytest.raises(InvalidDataError, match=r"labels\.txt: 'CD/DVD' cannot be the name of a class"):
        read_labels(tmp_path / "labels.txt")


def test_an_operator_that_tflite_lacks_is_named(labels: Path, tmp_path: Path) -> None:
    class Bessel(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32)])
        def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"scores": tf.math.bessel_i0(tf.reduce_mean(image, axis=[1, 2]))}

    network = Bessel()
    tf.saved_model.save(network, tmp_path / "saved", signatures={"serving_default": network.serve})
    settings = ForeignSettings(labels=labels, normalization=BYTES, precision="float32")

    with pytest.raises(InvalidDataError, match="cannot be converted to float32: TFLite has no BesselI0; expected"):
        draft_foreign(tmp_path / "saved", settings)


def test_a_float_tflite_file_goes_in_untouched_and_gets_its_normalization(
    foreign_keras: keras.Model, labels: Path, tmp_path: Path
) -> None:
    path = tmp_path / "Their Model.TFLITE"
    path.write_bytes(tflite_of(foreign_keras))
    draft = draft_foreign(path, ForeignSettings(labels=labels, normalization=HALF))

    assert draft.files["model.tflite"] == path.read_bytes()
    assert (draft.manifest.name, draft.manifest.precision) == ("their-model", "float32")
    for name, found in scores(draft, tmp_path / "bundle").items():
        picture = golden_pictures(InputSpec(24, 40))[name]
        assert found == pytest.approx(wanted(foreign_keras, picture), abs=1e-4)


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")  # the converter, of itself
def test_a_quantized_tflite_file_takes_bytes_as_they_are(
    foreign_keras: keras.Model, labels: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(quantized(foreign_keras))
    draft = draft_foreign(path, ForeignSettings(labels=labels))

    assert draft.manifest.precision == "int8"
    for name, found in scores(draft, tmp_path / "bundle").items():
        picture = golden_pictures(InputSpec(24, 40))[name]
        assert found == pytest.approx(wanted(foreign_keras, picture), abs=0.05)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            Normalization(127, 206),
            Normalization(127, 206),
        ),  # narrow in a wide scale, as TensorFlow Hub's Lite0
        (Normalization(126.6, 127.8), Normalization(127, 128)),  # the same but for rounding
        (Normalization(0, 1), Normalization(127, 128)),  # raw pixels: nothing that this input could hold
    ],
)
def test_metadata_that_tell_another_mapping_than_bytes_as_they_are_hold(
    int8_bundle: Bundle, tmp_path: Path, told: Normalization, expected: Normalization
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(int8_bundle.model_path.read_bytes())
    anatomy = replace(read_anatomy(path.read_bytes(), path), normalization=(told.mean, told.std))

    assert _normalization(anatomy, path) == expected


def test_activations_of_16_bits_are_called_so_and_answer_as_before(
    foreign_keras: keras.Model, labels: Path, tmp_path: Path
) -> None:
    wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter = tf.lite.TFLiteConverter.from_keras_model(foreign_keras)
    converter.optimizations, converter.representative_dataset = [tf.lite.Optimize.DEFAULT], samples
    converter.target_spec.supported_ops = [wide]
    (tmp_path / "wide.tflite").write_bytes(converter.convert())
    draft = draft_foreign(tmp_path / "wide.tflite", ForeignSettings(labels=labels, normalization=HALF))
    assert draft.manifest.precision == "int16"
    for name, found in scores(draft, tmp_path / "bundle").items():
        picture = golden_pictures(InputSpec(24, 40))[name]
        assert found == pytest.approx(wanted(foreign_keras, picture), abs=0.02)  # weights have 8 bits still


def test_labels_and_normalization_inside_the_model_are_found(int8_bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    shutil.copy(int8_bundle.model_path, path)
    draft = draft_foreign(path, ForeignSettings())

    assert draft.manifest.labels == ("disc", "square", "stripes")
    assert not draft.manifest.outputs.are_probabilities
    assert (draft.manifest.input.mean, draft.manifest.input.std) == (127, 128)


def test_a_float_input_of_unknown_range_is_refused(keras_file: Path, labels: Path) -> None:
    with pytest.raises(UsageError, match="does not say what its input expects: give --mean and --std"):
        draft_foreign(keras_file, ForeignSettings(labels=labels))


def test_int8_without_representative_pictures_is_refused(keras_file: Path, labels: Path) -> None:
    with pytest.raises(UsageError, match="int8 needs --pictures"):
        draft_foreign(keras_file, ForeignSettings(labels=labels, normalization=HALF))


def test_representative_pictures_are_taken_as_training_takes_them(
    pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings, spec = ForeignSettings(pictures=pictures), InputSpec(24, 40)
    expected = _representative(settings, spec)
    (pictures / ".Trashes").mkdir()
    for hidden in ("._a.jpg", ".Trashes/b.jpg"):
        (pictures / hidden).write_bytes(b"no picture")
    (pictures / "folder.jpg").mkdir()
    (pictures / "damaged.jpg").write_bytes(b"no picture")
    found = _representative(settings, spec)
    (record,) = caplog.records
    assert "damaged.jpg" in record.getMessage()
    np.testing.assert_array_equal(np.stack(found), np.stack(expected))


def test_a_folder_of_damaged_pictures_only_is_refused(tmp_path: Path) -> None:
    (tmp_path / "damaged.jpg").touch()
    with pytest.raises(InvalidDataError, match="none of the 1 pictures chosen from"):
        _representative(ForeignSettings(pictures=tmp_path), InputSpec(24, 40))


def test_labels_that_do_not_match_the_output_are_refused(keras_file: Path, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("can\ncup\n")
    settings = ForeignSettings(labels=tmp_path / "two.txt", normalization=HALF, precision="float32")

    with pytest.raises(InvalidDataError, match=r"gives float32 \(1, 3\), but there are 2 labels"):
        draft_foreign(keras_file, settings)


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")
def test_a_model_without_labels_is_refused(foreign_keras: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(quantized(foreign_keras))

    with pytest.raises(MissingInputError, match="carries no labels"):
        draft_foreign(tmp_path / "model.tflite", ForeignSettings())


@pytest.mark.parametrize("content", [b"", b"GIF89a not a model", b"\x1c\0\0\0TFL3" + b"\xff" * 60])
def test_what_is_not_a_model_is_refused(content: bytes, labels: Path, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(content)

    with pytest.raises(InvalidDataError, match=r"model\.tflite is (not a|a damaged) TFLite model"):
        draft_foreign(tmp_path / "model.tflite", ForeignSettings(labels=labels))


def test_a_kind_of_file_that_is_not_read_says_which_are(labels: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08")
    with pytest.raises(InvalidDataError, match=r"expected a \.tflite, \.keras or \.h5 file, .*of an \.onnx file with"):
        draft_foreign(tmp_path / "model.onnx", ForeignSettings(labels=labels, normalization=HALF))


def test_a_network_that_takes_no_pictures_is_refused(labels: Path, tmp_path: Path) -> None:
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(tmp_path / "flat.keras")
    settings = ForeignSettings(labels=labels, normalization=HALF, precision="float32")

    with pytest.raises(InvalidDataError, match=r"takes \(None, 4\): expected \(batch, height, width, 3\)"):
        draft_foreign(tmp_path / "flat.keras", settings)


def test_a_network_with_layers_of_its_own_is_refused(labels: Path, tmp_path: Path) -> None:
    class Twice(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: tf.Tensor) -> tf.Tensor:
            return 2 * x

    keras.Sequential([keras.Input((8, 8, 3)), Twice(), keras.layers.Flatten(), keras.layers.Dense(3)]).save(
        tmp_path / "own.keras"
    )
    settings = ForeignSettings(labels=labels, normalization=HALF, precision="float32")

    with pytest.raises(InvalidDataError, match=r"own\.keras does not load: Twice is not a layer of Keras"):
        draft_foreign(tmp_path / "own.keras", settings)


def test_a_network_for_pictures_too_small_to_tell_anything_by_is_refused(labels: Path, tmp_path: Path) -> None:
    tiny = keras.Sequential([keras.Input((8, 24, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    (tmp_path / "tiny.tflite").write_bytes(tflite_of(tiny))

    with pytest.raises(InvalidDataError, match="takes pictures of 24x8 pixels: expected 16 to 2048"):
        draft_foreign(tmp_path / "tiny.tflite", ForeignSettings(labels=labels, normalization=HALF))


def test_a_single_score_for_two_classes_says_what_to_train_instead(tmp_path: Path) -> None:
    """As tutorials of cats and dogs end: one unit and a sigmoid."""
    file, labels = tmp_path / "cats.tflite", tmp_path / "labels.txt"
    labels.write_text("cat\ndog\n")
    layers = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")]
    file.write_bytes(tflite_of(keras.Sequential(layers)))
    with pytest.raises(InvalidDataError, match=r"there are 2 labels: .* train it with two and a softmax"):
        draft_foreign(file, ForeignSettings(labels=labels, normalization=Normalization(0, 255)))


def test_a_score_for_each_pixel_is_no_classifier(labels: Path, tmp_path: Path) -> None:
    segmentation = keras.Sequential([keras.Input((24, 24, 3)), keras.layers.Conv2D(3, 3)])
    (tmp_path / "pixels.tflite").write_bytes(tflite_of(segmentation))

    with pytest.raises(InvalidDataError, match=r"gives float32 \(-1, 22, 22, 3\), but there are 3 labels"):
        draft_foreign(tmp_path / "pixels.tflite", ForeignSettings(labels=labels, normalization=HALF))


def test_a_run_is_not_a_saved_model(finished_run: Path, labels: Path) -> None:
    settings = ForeignSettings(labels=labels, normalization=HALF, precision="float32")

    with pytest.raises(InvalidDataError, match="does not load"):
        draft_foreign(finished_run, settings)


def test_a_run_s_own_keras_file_has_two_outputs_and_is_refused(finished_run: Path, labels: Path) -> None:
    settings = ForeignSettings(labels=labels, normalization=BYTES, precision="float32")

    with pytest.raises(InvalidDataError, match="has several inputs or outputs"):
        draft_foreign(finished_run / MODEL_FILE, settings)
