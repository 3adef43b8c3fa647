"""An audit in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from edge.listing import columns_of, counted, padded
from train.audit.findings import Alike, Audit

_MOST_LISTED = 12


def describe(audit: Audit) -> str:
    """What was found, the worst first within each kind."""
    return "\n".join(_lines(audit))


def _lines(audit: Audit) -> Iterator[str]:
    width = max(columns_of(label) for label in audit.classes)
    for label, facts in audit.classes.items():
        size = f"{facts.median_width_px} x {facts.median_height_px} pixels"
        yield f"{padded(label, width)}  {facts.num_pictures:6d} pictures, {size}"
    yield f"imbalance: {audit.imbalance:.1f} pictures of the largest class to one of the smallest"
    yield from _listed("left out", [str(one) for one in audit.left_out])
    for note, paths in audit.notes.items():
        yield f"{note}: {len(paths)} (used all the same), such as {paths[0]}"
    conflicts = [one for one in audit.alike if one.has_conflict]
    yield from _listed("the same picture under different labels", [alike(one) for one in conflicts])
    leaks = [one for one in audit.alike if one.leaks and not one.has_conflict]
    yield from _listed("the same picture in several splits", [alike(one) for one in leaks])
    others = [one for one in audit.alike if not (one.has_conflict or one.leaks)]
    yield from _listed("the same picture twice", [alike(one) for one in others])
    yield from _listed(
        "doubtful labels",
        [f"{one.path} looks like {one.looks_like} ({one.agreeing} of 7 neighbors)" for one in audit.suspects],
    )
    groups = counted(len(audit.shared_groups), "group")
    yield f"objects: {audit.grouped_share:.0%} of the pictures show what another one shows ({groups})"
    if audit.background is not None:
        test = audit.background
        shares = f"{test.accuracy:.0%} right (largest class {test.largest_class:.0%})"
        yield f"background: corner colors alone get {shares}: {test.verdict}"


def alike(one: Alike) -> str:
    """How alike which pictures are; of many the first ones, and how many more."""
    kind = "identical" if one.is_identical else "nearly identical"
    more = f" and {len(one.paths) - 4} more" if len(one.paths) > 4 else ""
    return f"{kind}: {', '.join(one.paths[:4])}{more}"


def _listed(title: str, found: list[str]) -> Iterator[str]:
    yield f"{title}: {len(found) or 'none'}"
    yield from (f"  {line}" for line in found[:_MOST_LISTED])
    if len(found) > _MOST_LISTED:
        yield f"  and {len(found) - _MOST_LISTED} more: --json lists all"
