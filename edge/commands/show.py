"""How decisions look at a terminal, or as lines for other programs."""

from __future__ import annotations

import json
import os
import webbrowser
from typing import TYPE_CHECKING

import click

from edge.listing import counted, some_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.messages import Decision
    from edge.records import DecisionRecord
    from edge.running.telemetry import Telemetry
    from edge.truth.scoring import Mistake, Score


# What to try where nothing was seen but this, beside an empty scene.
_ADVICE: dict[str, str] = {
    "empty": "Nothing differed from the empty scene: was it empty at first? For a finer look there are"
    " presence.sensitivity and presence.work_px",
    "moving": "Nothing lay still: leave out what moves at the rim (presence.region); a lamp that flickers wants another"
    ' exposure; things that never rest want items.mode = "passing"',
}


class Show:
    """Prints each decision when it is told of it, and in the end how many were right. Keeps nothing."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def say(self, sentence: str) -> None:
        """A sentence for a person; other programs are not told."""
        if not self._as_json:
            click.echo(sentence)

    def record(self, record: DecisionRecord) -> None:
        """One decision: the JSON object, or a line for a person."""
        click.echo(record.to_json() if self._as_json else _line(record.decision))

    def nothing(self, telemetry: Telemetry, duration_s: float) -> None:
        """Why there was no decision, as far as what was seen tells; beside the output, so that it stays empty."""
        phases = telemetry.phases()
        seen = ", ".join(f"{phase} in {count}" for phase, count in phases.items())
        click.echo(
            f"no decision: {counted(telemetry.num_frames, 'frame')} in {duration_s:.1f} s ({seen or 'none'})", err=True
        )
        busy = set(phases) - {"empty"} or set(phases)
        if len(busy) == 1 and (advice := _ADVICE.get(busy.pop())):
            click.echo(advice, err=True)

    def score(self, found: Score) -> None:
        """How the decisions stand against what really happened."""
        if self._as_json:
            fields = {"schema": 1, "event_type": "score", **found.to_json()}
            click.echo(json.dumps(fields, separators=(",", ":")))
        else:
            click.echo("\n" + _summary(found))

    def strange(self, told: Sequence[str], labels: Sequence[str]) -> None:
        """What a truth calls things by that no decision can; beside the output. Without labels nothing is known."""
        if told and labels:
            click.echo(f"the truth names {some_of(told)}; the model knows {some_of(labels)}", err=True)


def tell_page(address: str) -> None:
    """Say on stderr where the page is."""
    click.echo(f"the page: {address}", err=True)


def show_page(address: str) -> None:
    """Say where the page is, and open it where there is a desktop to open it on."""
    tell_page(address)
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        # Elsewhere a text browser might take the terminal.
        webbrowser.open(address)


def _line(decision: Decision) -> str:
    guess = f"{decision.label} {decision.confidence:.0%}" if decision.label else "-"
    where = f"-> {decision.bin}" if decision.bin else "(stays)"
    return f"{decision.decided_s:7.2f} s  {decision.outcome.value:<10}  {guess:<15} {where:<13}  {decision.reason}"


def _mistake(mistake: Mistake) -> str:
    if mistake.answer is None:
        return f"{mistake.at_s:7.2f} s  {mistake.truth} was missed"
    if mistake.truth is None:
        return f"{mistake.at_s:7.2f} s  nothing there was decided as {mistake.answer}"
    return f"{mistake.at_s:7.2f} s  {mistake.truth} was decided as {mistake.answer}"


def _summary(found: Score) -> str:
    counts = "".join(f"{_mistake(mistake)}\n" for mistake in found.mistakes) + (
        f"{counted(found.num_events, 'item')}: "
        f"{found.num_right} right, {found.num_wrong} wrong, {found.num_unknown} unknown; "
        f"{found.num_missed} missed, {found.num_invented} invented, {found.num_doubled} decided twice"
    )
    if found.settled_to_decided_p50_s is None:
        return counts
    p50_s, p95_s = found.settled_to_decided_p50_s, found.settled_to_decided_p95_s
    return f"{counts}\ndecided {p50_s:.2f} s after an item came to rest (95 % within {p95_s:.2f} s)"
