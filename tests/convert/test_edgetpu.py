from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from convert.cli import convert
from convert.edgetpu import (
    check_for_edgetpu,
    compile_for_edgetpu,
    find_compiler,
    memory_sentence,
    num_mapped_at_most,
    read_log,
)
from convert.tflite.anatomy import Operator, read_anatomy
from edge.bundle import Bundle, load_bundle
from edge.errors import CheckFailedError, InvalidDataError, MissingLibraryError, UsageError

# The form of the real compiler's log, version 16.
LOG = """Edge TPU Compiler version 16.0.384591198
Input: model.tflite
Output: model_edgetpu.tflite

Operator                       Count      Status

CONV_2D                        {on_tpu}         Mapped to Edge TPU
FULLY_CONNECTED                1          Mapped to Edge TPU
MEAN                           {on_cpu}          More than one subgraph is not supported
"""


@pytest.fixture
def compiler(tmp_path: Path) -> Path:
    """A program with the compiler's face: takes -s -o FOLDER MODEL, writes a model and a log."""
    return program(tmp_path, LOG.format(on_tpu=39, on_cpu=1))


def program(folder: Path, log: str, exit_code: int = 0) -> Path:
    path = folder / "edgetpu_compiler"
    complaint = "echo 'Invalid model: model.tflite'; echo 'Model not quantized'"
    path.write_text(
        "#!/bin/sh\n"
        "echo 'Edge TPU Compiler version 16.0.384591198'\n"
        "echo 'Started a compilation timeout timer of 180 seconds.'\n"
        f"test {exit_code} = 0 || {{ {complaint}; exit {exit_code}; }}\n"
        '{ cat "$4"; printf compiled; } > "$3/model_edgetpu.tflite"\n'
        f'cat > "$3/model_edgetpu.log" <<"END"\n{log}END\n'
        "echo 'Off-chip memory used for streaming uncached model parameters: 0.00B'\n"
    )
    path.chmod(0o755)
    return path


def test_the_small_networks_operators_all_suit_the_edgetpu(int8_bundle: Bundle) -> None:
    check_for_edgetpu(read_anatomy(int8_bundle.model_path.read_bytes(), int8_bundle.model_path))


def test_an_operator_that_the_edgetpu_lacks_is_named_unless_the_cpu_may_run_it(int8_bundle: Bundle) -> None:
    anatomy = read_anatomy(int8_bundle.model_path.read_bytes(), int8_bundle.model_path)
    lacking = replace(anatomy, operators=(*anatomy.operators, Operator("CUSTOM/Spin", (0,), (1,))))

    with pytest.raises(
        CheckFailedError, match=r"6 of 7 operators would run there, 95% wanted: the EdgeTPU lacks CUSTOM/Spin"
    ):
        check_for_edgetpu(lacking)
    check_for_edgetpu(lacking, allow_partial=True)


def test_all_that_follows_a_layer_in_float_stays_on_the_cpu(int8_bundle: Bundle) -> None:
    anatomy = read_anatomy(int8_bundle.model_path.read_bytes(), int8_bundle.model_path)
    _, second, *others = anatomy.operators
    place = second.outputs[0]
    tensors = tuple(
        replace(tensor, dtype="float32") if index == place else tensor for index, tensor in enumerate(anatomy.tensors)
    )
    rescued = replace(anatomy, tensors=tensors)

    assert num_mapped_at_most(anatomy) == len(anatomy.operators)
    assert num_mapped_at_most(rescued) == 1
    with pytest.raises(
        CheckFailedError, match=rf"1 of {len(others) + 2} .* \({second.name}, …\) work on float32, as --re"
    ):
        check_for_edgetpu(rescued)


def test_an_open_shape_is_refused_in_any_case(int8_bundle: Bundle) -> None:
    anatomy = read_anatomy(int8_bundle.model_path.read_bytes(), int8_bundle.model_path)
    first, *others = anatomy.tensors
    dynamic = replace(anatomy, tensors=(replace(first, shape=(-1, 32, 32, 3)), *others))

    with pytest.raises(CheckFailedError, match="has an open shape"):
        check_for_edgetpu(dynamic, allow_partial=True)


def test_parameters_beyond_the_chip_are_told(int8_bundle: Bundle) -> None:
    anatomy = read_anatomy(int8_bundle.model_path.read_bytes(), int8_bundle.model_path)
    first, *others = anatomy.tensors
    large = replace(anatomy, tensors=(replace(first, num_bytes=12 * 2**20), *others))

    assert memory_sentence(anatomy) == "0.0 MiB of parameters fit into the 7.7 MiB on the chip"
    assert memory_sentence(large).startswith("12.0 MiB of parameters exceed the 7.7 MiB on the chip")


def test_every_operator_is_listed_with_where_it_runs(int8_bundle: Bundle, compiler: Path) -> None:
    model = int8_bundle.model_path.read_bytes()
    compiled = compile_for_edgetpu(model, compiler)

    assert compiled.model == model + b"compiled"
    assert compiled.mapped_share == pytest.approx(40 / 41)
    assert [placement.is_mapped for placement in compiled.placements] == [True, True, False]
    assert compiled.placements[2].status == "More than one subgraph is not supported"


def test_too_little_on_the_edgetpu_is_refused_unless_allowed(tmp_path: Path) -> None:
    compiler = program(tmp_path, LOG.format(on_tpu=9, on_cpu=2))

    with pytest.raises(CheckFailedError, match=r"only 83% .*: 2 x MEAN \(More than one subgraph is not supported\)"):
        compile_for_edgetpu(b"model", compiler)
    assert compile_for_edgetpu(b"model", compiler, allow_partial=True).mapped_share == pytest.approx(10 / 12)


def test_a_compiler_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(CheckFailedError, match=r"exit code 3: Invalid model: model\.tflite; Model not quantized$"):
        compile_for_edgetpu(b"model", program(tmp_path, "", exit_code=3))


def test_a_program_of_another_machine_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "edgetpu_compiler").write_bytes(b"\x7fELF for something else")
    (tmp_path / "edgetpu_compiler").chmod(0o755)

    with pytest.raises(CheckFailedError, match=r"cannot be run \(Exec format error\)"):
        compile_for_edgetpu(b"model", tmp_path / "edgetpu_compiler")


def test_a_log_without_a_table_is_an_error() -> None:
    with pytest.raises(InvalidDataError, match="no table of operators"):
        read_log("Edge TPU Compiler version 16.0\nInternal compiler error. Aborting!\n")


def test_a_named_compiler_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingLibraryError, match="no program at"):
        find_compiler(tmp_path / "edgetpu_compiler")


def test_the_compiled_model_lies_beside_its_cpu_twin(finished_run: Path, compiler: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    arguments = [str(finished_run), "--out", str(out), "--edgetpu", "--compiler", str(compiler)]
    result = CliRunner().invoke(convert, arguments)

    assert result.exit_code == 0, result.output
    assert "39 x CONV_2D                  Mapped to Edge TPU" in result.stderr
    assert "Off-chip memory used for streaming uncached model parameters: 0.00B" in result.stderr
    bundle = load_bundle(out)
    assert bundle.edgetpu_model_path is not None
    assert bundle.edgetpu_model_path.read_bytes() == bundle.model_path.read_bytes() + b"compiled"


def test_a_bundle_that_is_there_gets_a_compiled_model_and_stays_itself_otherwise(
    int8_bundle: Bundle, compiler: Path, tmp_path: Path
) -> None:
    out = tmp_path / "with coral"
    arguments = ["--from", str(int8_bundle.path), "--out", str(out), "--edgetpu", "--compiler", str(compiler)]
    result = CliRunner().invoke(convert, arguments)

    assert result.exit_code == 0, result.output
    bundle = load_bundle(out)
    assert bundle.edgetpu_model_path is not None
    kept = bundle.manifest.model_copy(update={"files": int8_bundle.manifest.files})
    assert kept == int8_bundle.manifest
    assert set(bundle.manifest.files) - set(int8_bundle.manifest.files) == {bundle.edgetpu_model_path.name}


def test_a_bundle_alone_is_nothing_to_convert(int8_bundle: Bundle, tmp_path: Path) -> None:
    result = CliRunner().invoke(convert, ["--from", str(int8_bundle.path), "--out", str(tmp_path / "again")])

    assert isinstance(result.exception, UsageError)
    assert "is a bundle already: expected --edgetpu" in str(result.exception)


def test_a_float_model_is_refused_for_the_edgetpu(finished_run: Path, compiler: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    arguments = [
        str(finished_run),
        "--out",
        str(out),
        "--edgetpu",
        "--compiler",
        str(compiler),
        "--precision",
        "float16",
    ]
    result = CliRunner().invoke(convert, arguments)

    assert isinstance(result.exception, UsageError)
    assert "--edgetpu with --precision float16: only int8 runs there" in str(result.exception)
    assert not out.exists()


def test_without_the_compiler_the_bundle_is_written_and_the_way_to_get_it_is_said(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "bundle"
    result = CliRunner().invoke(convert, [str(finished_run), "--out", str(out), "--edgetpu"])

    assert result.exit_code == 0, result.output
    assert "apt install edgetpu-compiler" in result.stderr
    assert load_bundle(out).edgetpu_model_path is None
