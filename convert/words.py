"""A conversion in words, for a terminal, and as the line that `sorter convert --json` prints."""

from __future__ import annotations

import json
from dataclasses import asdict

from convert.bundle.draft import Draft
from edge.bundle import Bundle

_NUM_CHANGES_SHOWN = 10
_NUM_COSTS_SHOWN = 3


def refusal(draft: Draft, *, may_rescue: bool) -> str:
    """Why no bundle was written, and what to do."""
    hurting = ""
    if draft.costs:
        hurting = f"; in int8 these layers hurt most: {', '.join(map(str, draft.costs[:_NUM_COSTS_SHOWN]))}"
    rescue = "" if not may_rescue or not draft.costs else "keep them out of int8 with --rescue, "
    return (
        f"no bundle written: {'; '.join(draft.losses)}{hurting}. {rescue.capitalize()}"
        f"{'t' if rescue else 'T'}rain longer, try --precision float16, or go on with --accept-loss"
    )


def as_line(draft: Draft, bundle: Bundle | None) -> str:
    """The object that `sorter convert --json` prints; `bundle` is None where none was written."""
    written = None if bundle is None else {"path": str(bundle.path), "id": bundle.bundle_id, "name": bundle.short_name}
    report = {
        "schema": 1,
        "bundle": written,
        "size_bytes": sum(map(len, draft.files.values())),
        "temperature": draft.manifest.temperature,
        "metrics": draft.manifest.metrics,
        "losses": draft.losses,
        "parity": [parity.to_json() for parity in draft.parities],
        "layer_costs": [asdict(cost) for cost in draft.costs],
        "rescued_layers": [cost.name for cost in draft.kept],
        "rescued_in": draft.kept_in,
    }
    return json.dumps(report)


def describe(draft: Draft, bundle: Bundle | None) -> str:
    """What the conversion kept and changed; `bundle` is None where none was written."""
    lines = _parity_lines(draft)
    if draft.kept_in is not None:
        lines.append(f"kept in {draft.kept_in}: {', '.join(cost.name for cost in draft.kept)}")
    if bundle is not None:
        size_mb = sum(map(len, draft.files.values())) / 1e6
        lines.append(f"{bundle.path}: {bundle.short_name}, {draft.manifest.precision}, {size_mb:.1f} MB")
    return "\n".join(lines)


def _parity_lines(draft: Draft) -> list[str]:
    if not draft.parities:
        return []
    last = draft.parities[-1]
    lines = [f"{last.reference}: accuracy {last.reference_accuracy}"]
    lines += [
        f"{parity.candidate}: accuracy {parity.candidate_accuracy}, same answer {parity.agreement}, "
        f"same outcome {parity.outcome_agreement}, score distance {parity.score_distance:.4f}"
        for parity in draft.parities
    ]
    lines += [
        f"  {row.label}: recall {row.candidate_recall.value:.1%} (was {row.reference_recall.value:.1%}), "
        f"same answer {row.agreement}, same outcome {row.outcome_agreement}"
        for row in last.classes
    ]
    lines += [
        f"  changed: {change.path} from {change.reference} {change.reference_score:.2f} ({change.reference_outcome}) "
        f"to {change.candidate} {change.candidate_score:.2f} ({change.candidate_outcome})"
        for change in sorted(last.changes, key=lambda change: not change.is_other_answer)[:_NUM_CHANGES_SHOWN]
    ]
    if len(last.changes) > _NUM_CHANGES_SHOWN:
        lines.append(f"  and {len(last.changes) - _NUM_CHANGES_SHOWN} more; --json lists all")
    return lines
