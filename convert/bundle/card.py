"""The model card: what a person should know before trusting a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convert.proof.parity import Parity
from convert.quantizing.mixed import Wide
from edge.bundle import Manifest
from edge.listing import some_of
from edge.run import Run


def write_card(
    run: Run,
    manifest: Manifest,
    parities: Sequence[Parity],
    accepted_losses: Sequence[str],
    kept: Sequence[str],
    kept_in: Wide | None,
) -> str:
    """The card as Markdown; the last parity is the bundle's own model against the network as trained.

    `kept` names the layers that are not int8 but `kept_in` something wider.
    """
    sections = [_head(run, manifest), _origin(run), _parity_table(parities)]
    if accepted_losses:
        losses = "; ".join(accepted_losses)
        sections.append(f"**Converted with --accept-loss:** {losses}.\n")
    if kept_in is not None:
        sections.append(f"**Kept in {kept_in}, since int8 cost too much there:** {', '.join(kept)}.\n")
    sections += [_classes(parities[-1]), _limits(run)]
    return "\n".join(sections)


def _head(run: Run, manifest: Manifest) -> str:
    size = manifest.input
    return (
        f"# {manifest.name}\n\n"
        f"Tells {len(manifest.labels)} classes apart: {', '.join(manifest.labels)}.\n\n"
        f"- Network: {run.backbone}, {manifest.precision}, input {size.width_px} x {size.height_px} px uint8 RGB "
        "(0..255, rescaled inside; squashed, not padded)\n"
        f"- Outputs: logits and an embedding of {manifest.outputs.embedding_size} numbers\n"
        f"- Temperature: {manifest.temperature:g}\n"
    )


def _origin(run: Run) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(run.versions.items()))
    teachers = "".join(f", taught by {Path(one.path).name} (sha256 {one.sha256[:12]})" for one in run.teachers)
    return (
        "## Where it comes from\n\n"
        f"- Recipe {run.recipe}, seed {run.seed}, starting from {run.weights}{teachers}\n"
        f"- {run.data.num_pictures} pictures ({run.data.num_left_out} left out), fingerprint {run.data.sha256[:16]}\n"
        f"- Trained with {versions}\n"
    )


def _parity_table(parities: Sequence[Parity]) -> str:
    last = parities[-1]
    rows = [f"| {last.reference} | {last.reference_accuracy} | | | |"]
    rows += [
        f"| {parity.candidate} | {parity.candidate_accuracy} | {parity.agreement} "
        f"| {parity.outcome_agreement} | {parity.score_distance:.4f} |"
        for parity in parities
    ]
    return (
        "## What the conversion changed\n\n"
        "On the run's held-out pictures, through the device's own preprocessing and runtime:\n\n"
        "| model | accuracy | same answer | same outcome | score distance |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def _classes(parity: Parity) -> str:
    rows = "\n".join(
        f"| {row.label} | {row.reference_recall} | {row.candidate_recall} | {row.agreement} | {row.outcome_agreement} |"
        for row in parity.classes
    )
    header = (
        f"| class | recall, {parity.reference} | recall, {parity.candidate} | same answer | same outcome |\n"
        "|---|---|---|---|---|"
    )
    return f"## By class\n\n{header}\n{rows}\n\n{_changes(parity)}"


def _changes(parity: Parity) -> str:
    """The pictures that changed, each with answer, score and outcome in either model."""
    if not parity.changes:
        return "No picture changed its answer or its outcome.\n"
    rows = "\n".join(
        f"| {change.path} | {change.reference} {change.reference_score:.2f}, {change.reference_outcome} "
        f"| {change.candidate} {change.candidate_score:.2f}, {change.candidate_outcome} |"
        for change in parity.changes
    )
    return (
        "The pictures that changed (answer, score, and the outcome after thresholds):\n\n"
        f"| picture | {parity.reference} | {parity.candidate} |\n|---|---|---|\n{rows}\n"
    )


def _limits(run: Run) -> str:
    return (
        "## What it is bad at\n\n"
        f"- It knows {', '.join(run.labels)} and nothing else: whatever else lies there gets one of these names or, "
        "below the thresholds, none.\n"
        "- The figures above are for pictures like those it was trained on. Another camera, light or background "
        "costs accuracy: calibrate the site, and measure with `sorter evaluate` on its own pictures.\n"
        "- Held-out pictures also chose the temperature, so scores are honest for such pictures only.\n"
    )


def write_foreign_card(manifest: Manifest, origin: str) -> str:
    """The card of a classifier from elsewhere, of which little is known."""
    size = manifest.input
    expects = "bytes as they are" if (size.mean, size.std) == (0, 1) else f"(byte - {size.mean:g}) / {size.std:g}"
    return (
        f"# {manifest.name}\n\n"
        f"Wrapped from `{origin}`, trained elsewhere: what it was trained on and how good it is, this bundle "
        "does not know. Measure it with `sorter evaluate` on your own pictures before trusting it.\n\n"
        f"- {len(manifest.labels)} classes: {some_of(manifest.labels)}\n"
        f"- {manifest.precision}, input {size.width_px} x {size.height_px} px RGB, {expects}\n"
        f"- Gives {'probabilities' if manifest.outputs.are_probabilities else 'logits'}; no embedding, so it "
        "cannot be taught new classes\n"
        "- Temperature 1: its scores were not calibrated\n"
    )
