"""An int8 model for the EdgeTPU: what can be checked without its compiler, and the compiler where there is one.

The compiler is Google's `edgetpu_compiler`, x86-64 Linux only. It writes the model and a log beside it that says
of every operator where it runs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from convert.tflite.anatomy import Anatomy, Operator
from edge.errors import CheckFailedError, InvalidDataError, MissingLibraryError

COMPILER = "edgetpu_compiler"
MIN_MAPPED = 0.95
_NUM_LINES_QUOTED = 4
TIMEOUT_S = 600  # the compiler gives up by itself after 180 s

# On-chip memory for parameters is 8 MB, of which the compiler's logs leave about this much; what does not fit
# is streamed over USB at every inference.
PARAMETER_BYTES = int(7.7 * 2**20)

HOW_TO_GET = (
    f"{COMPILER} was not found, so the bundle has no model for the EdgeTPU. On Debian or Ubuntu for x86-64, add "
    "Coral's package source as https://coral.ai/docs/edgetpu/compiler/ says, and apt install edgetpu-compiler; "
    "or name it with --compiler"
)

_MAPPED = "Mapped to Edge TPU"
_WIDE = frozenset({"float32", "float16", "int16"})
_CHATTER = re.compile(r"Edge TPU Compiler version|timeout timer|within timeout period")
_MEMORY = re.compile(r"O(?:n|ff)-chip memory .*")

# https://coral.ai/docs/edgetpu/models-intro/#supported-operations
# fmt: off
_SUPPORTED = frozenset({
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXPAND_DIMS", "FULLY_CONNECTED",
    "L2_NORMALIZATION", "LOGISTIC", "LSTM", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PACK", "PAD",
    "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE",
    "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT",
    "SQUEEZE", "STRIDED_SLICE", "SUB", "SUM", "SQUARED_DIFFERENCE", "TANH", "TRANSPOSE", "TRANSPOSE_CONV",
})
# fmt: on


@dataclass(frozen=True, slots=True)
class Placement:
    """Operators of one kind, and where the compiler put them, in its words."""

    operator: str
    count: int
    status: str

    @property
    def is_mapped(self) -> bool:
        """They run on the EdgeTPU and not on the CPU."""
        return self.status == _MAPPED


@dataclass(frozen=True, slots=True)
class Compiled:
    """A model for the EdgeTPU, where each of its operators runs, and what the compiler says of memory."""

    model: bytes
    placements: tuple[Placement, ...]
    memory: tuple[str, ...] = ()

    @property
    def mapped_share(self) -> float:
        """The share of operators that run on the EdgeTPU, 0..1."""
        total = sum(placement.count for placement in self.placements)
        return sum(placement.count for placement in self.placements if placement.is_mapped) / max(1, total)


def check_for_edgetpu(anatomy: Anatomy, *, allow_partial: bool = False) -> None:
    """Refuse what the compiler would refuse, or leave to the CPU for more than MIN_MAPPED allows.

    Raises:
        CheckFailedError: not int8, an open shape, or too much behind an operator that the EdgeTPU cannot run.
    """
    problems = []
    if anatomy.precision != "int8":
        problems.append(f"it is {anatomy.precision}, and only int8 runs there")
    if dynamic := [tensor.name for tensor in anatomy.tensors if not tensor.is_static]:
        problems.append(f"{dynamic[0]} has an open shape")
    num_mapped, num = num_mapped_at_most(anatomy), len(anatomy.operators)
    if not problems and num_mapped < MIN_MAPPED * num and not allow_partial:
        problems.append(
            f"{num_mapped} of {num} operators would run there, {MIN_MAPPED:.0%} wanted: "
            f"{_obstacle(anatomy, num_mapped)}"
        )
    if problems:
        raise CheckFailedError(f"the model does not suit the EdgeTPU: {'; '.join(problems)}")


def num_mapped_at_most(anatomy: Anatomy) -> int:
    """How many operators can run on the EdgeTPU: those before the first that cannot, since what follows stays behind.

    The compiler makes one piece for the EdgeTPU of what it meets first ("More than one subgraph is not supported").
    """
    suits = [step.name in _SUPPORTED and _is_int8(anatomy, step) for step in anatomy.operators]
    return suits.index(False) if False in suits else len(suits)


def _is_int8(anatomy: Anatomy, step: Operator) -> bool:
    tensors = [anatomy.tensors[place] for place in (*step.inputs, *step.outputs) if place >= 0]
    return not any(tensor.dtype in _WIDE for tensor in tensors)


def _obstacle(anatomy: Anatomy, place: int) -> str:
    """Why the operator at `place` and all behind it stay on the CPU, and what to do."""
    wide = [step for step in anatomy.operators if anatomy.tensors[step.outputs[0]].dtype in _WIDE]
    if layers := [step for step in wide if step.name not in {"QUANTIZE", "DEQUANTIZE"}]:
        dtype = anatomy.tensors[layers[0].outputs[0]].dtype
        return (
            f"{len(layers)} of them ({layers[0].name}, …) work on {dtype}, as --rescue leaves layers, and what follows "
            "stays on the CPU; convert without --rescue, with --accept-loss where int8 alone breaks the limits, "
            "or go on with --allow-partial"
        )
    return (
        f"the EdgeTPU lacks {anatomy.operators[place].name}, and what follows stays on the CPU; "
        "go on with --allow-partial"
    )


def memory_sentence(anatomy: Anatomy) -> str:
    """Whether the parameters fit on the chip, and what it means if they do not."""
    found, held = anatomy.parameter_bytes / 2**20, PARAMETER_BYTES / 2**20
    if anatomy.parameter_bytes <= PARAMETER_BYTES:
        return f"{found:.1f} MiB of parameters fit into the {held:.1f} MiB on the chip"
    return f"{found:.1f} MiB of parameters exceed the {held:.1f} MiB on the chip: the rest crosses USB for each picture"


def find_compiler(named: Path | None) -> Path | None:
    """The compiler that was named, or the one on the PATH; None where there is none.

    Raises:
        MissingLibraryError: one was named, and it is not there.
    """
    found = shutil.which(str(named or COMPILER))
    if named is not None and found is None:
        raise MissingLibraryError(f"no program at {named}: expected {COMPILER}, or leave out --compiler")
    return None if found is None else Path(found)


def compile_for_edgetpu(model: bytes, compiler: Path, *, allow_partial: bool = False) -> Compiled:
    """Run the compiler on an int8 model. Blocks for seconds, at most TIMEOUT_S.

    Raises:
        CheckFailedError: it failed, or put less than MIN_MAPPED on the EdgeTPU and that is not allowed.
        InvalidDataError: its log is not understood.
    """
    with tempfile.TemporaryDirectory(prefix="sorter-edgetpu-") as scratch:
        folder = Path(scratch)
        (folder / "model.tflite").write_bytes(model)
        said = _run(compiler, folder)
        written, log = folder / "model_edgetpu.tflite", folder / "model_edgetpu.log"
        if not written.is_file() or not log.is_file():
            raise CheckFailedError(f"{compiler} wrote no {written.name} and {log.name}: {_reason(said)}")
        placements = read_log(log.read_text(errors="replace"))
        compiled = Compiled(written.read_bytes(), placements, tuple(_MEMORY.findall(said)))
    if compiled.mapped_share < MIN_MAPPED and not allow_partial:
        raise CheckFailedError(
            f"only {compiled.mapped_share:.0%} of the operators would run on the EdgeTPU, {MIN_MAPPED:.0%} wanted: "
            f"{_on_cpu(compiled)}; go on with --allow-partial"
        )
    return compiled


def read_log(text: str) -> tuple[Placement, ...]:
    """The table of operators in the compiler's log.

    Raises:
        InvalidDataError: there is none.
    """
    rows = re.findall(r"^([A-Z][A-Z0-9_]+)[ \t]+(\d+)[ \t]+(\S.*?)[ \t]*$", text, re.MULTILINE)
    if not rows:
        raise InvalidDataError("the compiler's log has no table of operators: expected OPERATOR COUNT STATUS lines")
    return tuple(Placement(operator, int(count), status) for operator, count, status in rows)


def _run(compiler: Path, folder: Path) -> str:
    """Compile `folder`/model.tflite; what the compiler said."""
    command = [str(compiler), "-s", "-o", str(folder), str(folder / "model.tflite")]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise CheckFailedError(f"{compiler} was still at work after {TIMEOUT_S} s and was stopped") from error
    except OSError as error:
        raise CheckFailedError(f"{compiler} cannot be run ({error.strerror}): it is for x86-64 Linux") from error
    said = done.stdout + done.stderr
    if done.returncode != 0:
        raise CheckFailedError(f"{compiler} failed with exit code {done.returncode}: {_reason(said)}")
    return said


def _reason(said: str) -> str:
    """What a compiler that failed says, without what it always says."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not _CHATTER.search(line)]
    return "; ".join(lines[:_NUM_LINES_QUOTED]) or "it gave no reason"


def _on_cpu(compiled: Compiled) -> str:
    left = (placement for placement in compiled.placements if not placement.is_mapped)
    return ", ".join(f"{placement.count} x {placement.operator} ({placement.status})" for placement in left)
