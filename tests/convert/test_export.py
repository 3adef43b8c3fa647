from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest

from convert.bundle.writer import write_bundle
from convert.export import REPRESENTATIVE, draft_bundle
from convert.source import ConvertSettings
from convert.tflite.anatomy import read_anatomy
from edge.assembly.parts import same_likeness
from edge.bundle import MANIFEST, Bundle, Precision, load_bundle
from edge.classifiers.litert import LiteRTClassifier, load_interpreter
from edge.deciding.novelty import NUM_PROTOTYPES, REFUSED_SHARE, load_novelty
from edge.errors import BundleError, InvalidDataError, MissingInputError
from edge.items.decided import likeness
from edge.preprocess import InputSpec, load_picture, to_input
from edge.run import MODEL_FILE, RUN_FILE, SPLITS_FILE, load_run, load_splits


def test_the_bundle_gives_camera_bytes_to_the_network_untouched(int8_bundle: Bundle) -> None:
    taken = load_interpreter(int8_bundle.model_path, 1).get_input_details()[0]

    assert tuple(taken["shape"]) == (1, 32, 32, 3)
    assert taken["dtype"] is np.uint8
    assert taken["quantization"] == (1 / 128, 127)  # a step for each byte: the rescaling costs no operator
    assert (int8_bundle.manifest.input.mean, int8_bundle.manifest.input.std) == (127, 128)


def test_the_input_is_rescaled_by_its_scale_alone(int8_bundle: Bundle) -> None:
    operators = read_anatomy(int8_bundle.model_path.read_bytes(), int8_bundle.model_path).operators

    assert [operator.name for operator in operators[:2]] == ["QUANTIZE", "CONV_2D"]


def test_a_network_that_divides_bytes_by_255_becomes_int8(run_copy: Path, tmp_path: Path) -> None:
    rescale_by_255(run_copy / MODEL_FILE)
    draft = draft_bundle(run_copy, ConvertSettings())
    bundle = write_bundle(tmp_path / "bundle", draft.manifest, draft.files, should_replace=False)
    taken = load_interpreter(bundle.model_path, 1).get_input_details()[0]

    assert taken["quantization"] == (pytest.approx(1 / 255), 0)
    assert (bundle.manifest.input.mean, bundle.manifest.input.std) == (0, 255)
    assert draft.losses == ()


def test_int8_weights_are_quantized_per_channel(int8_bundle: Bundle) -> None:
    interpreter = load_interpreter(int8_bundle.model_path, 1)
    num_scales = [len(details["quantization_parameters"]["scales"]) for details in interpreter.get_tensor_details()]

    assert {8, 16, 24} <= set(num_scales)


def test_the_bundle_gives_its_golden_logits_exactly(int8_bundle: Bundle) -> None:
    classifier = LiteRTClassifier(int8_bundle, num_threads=1)

    assert len(int8_bundle.manifest.golden) == 4
    for golden in int8_bundle.manifest.golden:
        logits, embedding, _ = classifier.infer(load_picture(int8_bundle.path / golden.picture))
        assert tuple(map(float, logits)) == golden.logits
        assert embedding is not None
        assert embedding.shape == (24,)


def test_the_bundle_sorts_pictures_it_has_never_seen(finished_run: Path, int8_bundle: Bundle) -> None:
    run, classifier = load_run(finished_run), LiteRTClassifier(int8_bundle)
    held_out = [row for row in load_splits(finished_run) if row.split == "val"]
    pictures = [load_picture(Path(run.data.root) / row.path) for row in held_out]
    answers = [classifier.classify(to_input(picture, classifier.input_spec)).scores.argmax() for picture in pictures]

    hits = sum(run.labels[answer] == row.label for answer, row in zip(answers, held_out, strict=True))
    assert hits / len(held_out) == pytest.approx(int8_bundle.manifest.metrics["accuracy"], abs=1e-5)
    assert hits / len(held_out) > 0.9


def test_the_same_run_gives_the_same_bundle_even_after_other_models_were_built(
    finished_run: Path, int8_bundle: Bundle, tmp_path: Path
) -> None:
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    draft = draft_bundle(finished_run, ConvertSettings())
    again = write_bundle(tmp_path / "again", draft.manifest, draft.files, should_replace=False)

    assert again.bundle_id == int8_bundle.bundle_id


def test_the_representative_pictures_are_balanced_and_from_the_training_split_only(
    finished_run: Path, int8_bundle: Bundle
) -> None:
    chosen = (int8_bundle.path / REPRESENTATIVE).read_text().splitlines()
    splits = {row.path: row for row in load_splits(finished_run)}

    assert {splits[path].split for path in chosen} == {"train"}
    assert Counter(splits[path].label for path in chosen) == {"disc": 30, "square": 30, "stripes": 30}


def test_the_bundle_knows_what_its_items_look_like(finished_run: Path, int8_bundle: Bundle) -> None:
    run, classifier, novelty = load_run(finished_run), LiteRTClassifier(int8_bundle), load_novelty(int8_bundle)
    assert novelty is not None
    held_out = [row for row in load_splits(finished_run) if row.split == "val"]
    pictures = [to_input(load_picture(Path(run.data.root) / row.path), classifier.input_spec) for row in held_out]
    embeddings = [embedding for picture in pictures if (embedding := classifier.infer(picture)[1]) is not None]
    is_refused = [novelty.distance(embedding) > novelty.max_distance for embedding in embeddings]

    assert novelty.prototypes.shape == (len(run.labels) * NUM_PROTOTYPES, novelty.means.shape[1])
    assert len(embeddings) == len(held_out)
    assert 0 < sum(is_refused) <= max(1, round(2 * REFUSED_SHARE * len(held_out)))  # the limit lies between two
    black = classifier.infer(np.zeros((32, 32, 3), np.uint8))[1]
    assert black is not None
    assert novelty.distance(black) > novelty.max_distance


def test_the_bundle_knows_how_like_one_thing_is_to_itself(finished_run: Path, int8_bundle: Bundle) -> None:
    run, classifier = load_run(finished_run), LiteRTClassifier(int8_bundle)
    likenesses = []
    for row in load_splits(finished_run):
        if row.split == "val":
            picture = to_input(load_picture(Path(run.data.root) / row.path), classifier.input_spec)
            straight, turned = (classifier.infer(view)[1] for view in (picture, np.rot90(picture, -1)))
            assert straight is not None
            assert turned is not None
            likenesses.append(likeness(straight, turned))
    assert same_likeness(int8_bundle) == pytest.approx(np.quantile(likenesses, 0.02), abs=1e-4)


@pytest.mark.parametrize("precision", ["float16", "dynamic", "float32"])
def test_every_precision_keeps_the_answers(finished_run: Path, tmp_path: Path, precision: Precision) -> None:
    draft = draft_bundle(finished_run, ConvertSettings(precision=precision))
    bundle = write_bundle(tmp_path / precision, draft.manifest, draft.files, should_replace=False)

    assert bundle.manifest.precision == precision
    assert draft.losses == ()
    assert LiteRTClassifier(bundle).labels == ("disc", "square", "stripes")


def test_the_input_may_have_another_size_than_in_training(finished_run: Path, tmp_path: Path) -> None:
    draft = draft_bundle(finished_run, ConvertSettings(spec=InputSpec(36, 40)))
    bundle = write_bundle(tmp_path / "larger", draft.manifest, draft.files, should_replace=False)

    assert LiteRTClassifier(bundle).input_spec == InputSpec(36, 40)
    assert draft.losses == ()  # as good as the network itself is at that size


def test_a_bundle_with_one_changed_byte_is_refused_whichever_file_it_is_in(int8_bundle: Bundle, tmp_path: Path) -> None:
    names = [*int8_bundle.manifest.files, MANIFEST]
    assert len(names) == 10
    for number, name in enumerate(names):
        copy = Path(shutil.copytree(int8_bundle.path, tmp_path / str(number)))
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 0x80
        (copy / name).write_bytes(content)
        with pytest.raises(BundleError):
            load_bundle(copy)


@pytest.mark.parametrize("name", [RUN_FILE, MODEL_FILE, SPLITS_FILE])
def test_a_run_that_never_finished_is_refused(run_copy: Path, name: str) -> None:
    (run_copy / name).unlink()

    with pytest.raises(MissingInputError, match=f"no {name} .*expected a run directory"):
        draft_bundle(run_copy, ConvertSettings())


def test_labels_that_do_not_match_the_outputs_are_refused(run_copy: Path) -> None:
    record = (run_copy / RUN_FILE).read_text().replace('"stripes"', '"stripes","dots"')
    (run_copy / RUN_FILE).write_text(record)
    _append_row(run_copy, ("disc/00.png", "dots", "", "train"))

    with pytest.raises(InvalidDataError, match=r"has 3 logits, but run\.json lists 4 labels"):
        draft_bundle(run_copy, ConvertSettings())


def test_a_run_without_held_out_pictures_is_refused(run_copy: Path) -> None:
    splits = (run_copy / SPLITS_FILE).read_text().replace(",val", ",train")
    (run_copy / SPLITS_FILE).write_text(splits)

    with pytest.raises(InvalidDataError, match="holds out no picture"):
        draft_bundle(run_copy, ConvertSettings())


def test_held_out_pictures_of_an_unknown_class_are_refused(run_copy: Path) -> None:
    _append_row(run_copy, ("disc/00.png", "dots", "", "val"))

    with pytest.raises(InvalidDataError, match="holds out dots, but the model knows disc, square, stripes"):
        draft_bundle(run_copy, ConvertSettings())


def test_pictures_that_moved_are_found_with_data_root(run_copy: Path, finished_run: Path) -> None:
    moved = Path(shutil.copytree(load_run(finished_run).data.root, run_copy.parent / "moved"))
    record = (run_copy / RUN_FILE).read_text().replace(load_run(finished_run).data.root, "/nowhere")
    (run_copy / RUN_FILE).write_text(record)

    with pytest.raises(MissingInputError, match=r"no longer in /nowhere: .* say with --data"):
        draft_bundle(run_copy, ConvertSettings())
    assert draft_bundle(run_copy, ConvertSettings(data_root=moved)).losses == ()


def test_a_damaged_keras_file_is_refused(run_copy: Path) -> None:
    """Its list of parts is sound, and what was copied of one of them is not."""
    network = bytearray((run_copy / MODEL_FILE).read_bytes())
    network[len(network) // 2] ^= 0xFF
    (run_copy / MODEL_FILE).write_bytes(network)

    with pytest.raises(InvalidDataError, match=r"model\.keras is not a whole Keras file"):
        draft_bundle(run_copy, ConvertSettings())


def _append_row(run: Path, row: tuple[str, str, str, str]) -> None:
    with (run / SPLITS_FILE).open("a", newline="") as file:
        csv.writer(file).writerow(row)


def rescale_by_255(path: Path) -> None:
    """Put another rescaling at the network's door, and what the former did into its first convolution."""
    network = keras.models.load_model(path, compile=False)
    _, former, first, *_ = network.layers
    scale, offset = former.scale * 255, former.offset
    former.scale, former.offset = 1 / 255, 0.0
    kernel, bias = first.get_weights()
    first.set_weights([kernel * scale, bias + offset * kernel.sum(axis=(0, 1, 2))])
    network.save(path)
