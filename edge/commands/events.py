"""`sorter events` and `sorter correct`: what was decided, and what a person thinks of it."""

from __future__ import annotations

import csv
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import config_option, json_option, set_option, verbosity_options
from edge.errors import UsageError

if TYPE_CHECKING:
    from edge.journal import Entry

_SPAN = re.compile(r"(\d{1,4})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLUMNS = ("seq", "id", "ts", "outcome", "label", "bin", "confidence", "started", "finished", "problem", "corrected")

journal_option = click.option(
    "--journal", "journal", type=click.Path(path_type=Path), help="Journal; the configured one by default."
)


def _moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """A moment, or a span before now, as RFC 3339 UTC."""
    from edge.clock import SystemClock, rfc3339

    if value is None:
        return None
    if found := _SPAN.fullmatch(value):
        clock = SystemClock()
        return rfc3339(clock.wall(clock.now_s()) - timedelta(**{_UNITS[found[2]]: int(found[1])}))
    try:
        moment = datetime.fromisoformat(value)
        # Without a zone it is the owner's own.
        return rfc3339(moment.astimezone(UTC))
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r}: expected 30m, 2h, 7d, or a moment such as 2026-11-21T08:00") from None


@click.command(short_help="List decisions, also while the bin runs.")
@config_option
@set_option
@journal_option
@click.option("--since", callback=_moment, help="From then on: 30m, 2h, 7d, or a moment (local time).")
@click.option("--label", help="Only this label.")
@click.option("--bin", "bin_name", help="Only this bin.")
@click.option(
    "--outcome",
    type=click.Choice(["accepted", "unknown", "multiple", "left_early", "timeout"]),
    help="Only this outcome.",
)
@click.option("--unknown", "is_unknown", is_flag=True, help="The same as --outcome unknown.")
@click.option("--wrong", "is_wrong", is_flag=True, help="Only what a person called wrong.")
@click.option("--limit", type=click.IntRange(1, 10_000_000), default=50, show_default=True, help="The newest so many.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values on stdout.")
@json_option
@verbosity_options
def events(
    config_path: Path | None,
    overrides: tuple[str, ...],
    journal: Path | None,
    since: str | None,
    label: str | None,
    bin_name: str | None,
    outcome: str | None,
    limit: int,
    *,
    is_unknown: bool,
    is_wrong: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """List decisions from the journal, oldest first; also while the bin runs."""
    from contextlib import closing

    from edge.journal import Filter, JournalReader

    if as_csv and as_json:
        raise UsageError("expected --csv or --json, found both")
    if is_unknown and outcome not in (None, "unknown"):
        raise UsageError(f"expected --unknown or --outcome {outcome}, found both")
    which = Filter(
        since=since,
        label=label,
        bin=bin_name,
        outcome="unknown" if is_unknown else outcome,
        is_wrong=True if is_wrong else None,
    )
    with closing(JournalReader(journal_at(journal, config_path, overrides))) as reader:
        entries = reader.newest(which, limit)
        if as_csv:
            table = csv.writer(sys.stdout, lineterminator="\n")
            table.writerow(_COLUMNS)
            table.writerows([getattr(entry, column) for column in _COLUMNS] for entry in entries)
        else:
            has_any = False
            for entry in entries:
                has_any = True
                click.echo(as_line(entry) if as_json else _as_text(entry))
            if not (has_any or as_json):
                click.echo("no such decision", err=True)


@click.command(short_help="Say what a decision should have been.")
@click.argument("decision")
@click.argument("label", required=False)
@config_option
@set_option
@journal_option
@verbosity_options
def correct(
    decision: str, label: str | None, config_path: Path | None, overrides: tuple[str, ...], journal: Path | None
) -> None:
    """Say that DECISION (its id, its seq, or `last`) should have been LABEL; without LABEL only that it was wrong.

    The last word counts; a LABEL that equals the decision's own confirms it. Its picture is kept longer.
    """
    from edge.journal import correct as write

    entry = write(journal_at(journal, config_path, overrides), decision, label)
    verdict = f"wrong, it is {label}" if label and entry.is_wrong else "wrong" if entry.is_wrong else "right"
    click.echo(f"{entry.seq} ({entry.label or 'no label'}): noted as {verdict}")


def journal_at(journal: Path | None, config_path: Path | None, overrides: tuple[str, ...]) -> Path:
    """The journal that is meant."""
    from edge.assembly.places import journal_path
    from edge.config import find_config, load_config

    return journal or journal_path(load_config(find_config(config_path), overrides))


def as_line(entry: Entry) -> str:
    """The decision's own JSON object, with what a person said of it and what went wrong with the movement."""
    more = {"problem": entry.problem, "corrected": entry.corrected, "wrong": entry.is_wrong}
    return json.dumps({**json.loads(entry.record), **more}, ensure_ascii=False, separators=(",", ":"))


def _as_text(entry: Entry) -> str:
    guess = f"{entry.label} {entry.confidence:.0%}" if entry.label else "-"
    where = f"-> {entry.bin}" if entry.bin else "(stays)"
    said = f"  wrong{f', it is {entry.corrected}' if entry.corrected else ''}" if entry.is_wrong else ""
    moved = f"  {entry.problem}" if entry.problem else ""
    return f"{entry.seq:6}  {entry.ts}  {entry.outcome:<10}  {guess:<15} {where:<13}{said}{moved}"
