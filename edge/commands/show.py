"""How a decision looks at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edge.records import DecisionRecord


def show_record(record: DecisionRecord, *, as_json: bool) -> None:
    """Print one decision: the JSON object, or a line for a person."""
    if as_json:
        click.echo(record.to_json())
        return
    decision = record.decision
    answer = f"{decision.label or '-'} {decision.confidence:.0%}" if decision.label else "-"
    where = f"-> {decision.bin}" if decision.bin else "-> stays"
    click.echo(f"{decision.decided_s:8.2f} s  {decision.outcome.value:<10} {answer:<16} {where:<14} {decision.reason}")
