"""`sorter explain`: why a decision fell as it did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.commands.events import as_line, journal_at, journal_option
from edge.commands.options import config_option, json_option, set_option, verbosity_options
from edge.errors import MissingInputError

if TYPE_CHECKING:
    from edge.journal import Entry

_BAR_WIDTH = 20


@click.command(short_help="Tell why a decision fell.")
@click.argument("decision", default="last")
@config_option
@set_option
@journal_option
@json_option
@verbosity_options
def explain(
    decision: str, config_path: Path | None, overrides: tuple[str, ...], journal: Path | None, *, as_json: bool
) -> None:
    """Tell why DECISION (its id, its seq, or `last`) fell: frames, scores over time, thresholds, rule, timings."""
    from contextlib import closing

    from edge.journal import JournalReader

    path = journal_at(journal, config_path, overrides)
    with closing(JournalReader(path)) as reader:
        entry = reader.find(decision)
    if entry is None:
        raise MissingInputError(f"{path}: no decision {decision}; `sorter events` lists those that are kept")
    trace = json.loads(entry.trace) if entry.trace else None
    if as_json:
        click.echo(json.dumps({**json.loads(as_line(entry)), "trace": trace}, ensure_ascii=False))
    else:
        click.echo("\n".join(_story(entry, json.loads(entry.record), trace)))


def _story(entry: Entry, record: Mapping[str, Any], trace: Mapping[str, Any] | None) -> Iterator[str]:
    yield f"decision {entry.seq}, {entry.id}, {entry.ts}"
    yield f"  {entry.outcome}: {entry.label or 'no label'}, {(entry.bin and f'into {entry.bin}') or 'it stays'}"
    yield f"  because   {record['reason']}"
    scores = ", ".join(f"{label} {score:.2f}" for label, score in list(record["scores"].items())[:4])
    yield f"  scores    {scores or 'none'}; lead {record['margin']:.2f}"
    yield f"  model     {record['model']}, site {record['site'] or 'none'}"
    yield f"  movement  {_movement(entry, record)}"
    if entry.is_wrong or entry.corrected:
        correction = f", it is {entry.corrected}" if entry.corrected else ""
        yield f"  a person  {'wrong' if entry.is_wrong else 'right'}{correction}"
    if trace is None:
        yield "  no trace was kept of it"
        return
    yield from _conditions(record, trace)
    yield from _frames(trace["frames"])


def _movement(entry: Entry, record: Mapping[str, Any]) -> str:
    if entry.problem:
        return entry.problem
    if not record["commanded"]:
        return "none was asked for"
    if entry.started is None:
        return "asked for; nobody told what became of it"
    confirmed = {True: "confirmed", False: "not confirmed", None: "nothing confirms it"}[record["confirmed"]]
    return f"{entry.started} to {entry.finished}, {confirmed}"


def _conditions(record: Mapping[str, Any], trace: Mapping[str, Any]) -> Iterator[str]:
    from edge.deciding.rules import threshold_text

    rule = trace["rule"]
    confidence = threshold_text(rule["min_confidence"])
    yield (
        f"  rule      {rule['kind']}: confidence {confidence}, lead {rule['min_margin']:.2f},"
        f" {rule['min_frames']} to {rule['max_frames']} frames, {rule['deadline_s']:g} s"
    )
    settled = "never settled" if record["settled_s"] is None else f"settled {record['settled_s']:.2f} s"
    yield (
        f"  times     seen {trace['first_seen_s']:.2f} s, {settled}, decided {record['decided_s']:.2f} s;"
        f" {', '.join(f'{stage} {ms:.1f}' for stage, ms in trace['timings_ms'].items())} ms"
    )
    yield f"  frames    {record['frames']['used']} used, {record['frames']['rejected']} rejected as unsharp"


def _frames(frames: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for frame in frames:
        at = f"    {frame['t_s']:8.2f} s  sharpness {frame['sharpness']:<8.3g}"
        if "scores" not in frame:
            yield f"{at} left out: {frame['rejected']}"
            continue
        (label, score), *others = frame["scores"].items()
        bar = "#" * round(_BAR_WIDTH * score)
        rest = ", ".join(f"{name} {value:.2f}" for name, value in others)
        yield f"{at} {bar:<{_BAR_WIDTH}} {label} {score:.2f} ({rest})"
