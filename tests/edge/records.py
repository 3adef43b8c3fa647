"""Decisions to write down, for the tests of what happens after one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from edge.clock import ReplayClock
from edge.journal import Journal
from edge.messages import Decision, Outcome
from edge.records import DecisionRecord, Recorder, ReplayedIds


class JumpingClock(ReplayClock):
    """Goes on as ever, while somebody sets the date."""

    def __init__(self) -> None:
        super().__init__()
        self.date = datetime(2026, 11, 21, tzinfo=UTC)

    def wall(self, at_s: float) -> datetime:
        return self.date + timedelta(seconds=at_s - self.now_s())


def a_decision(
    item_id: int = 1, label: str = "metal", bin_name: str | None = "recycling", at_s: float = 12.43
) -> Decision:
    return Decision(
        item_id=item_id,
        outcome=Outcome.ACCEPTED if bin_name else Outcome.UNKNOWN,
        label=label,
        bin=bin_name,
        confidence=0.93456,
        margin=0.81,
        reason="confident: 6 of 6 frames say metal",
        first_seen_s=at_s - 1.0,
        settled_s=at_s - 0.38,
        decided_s=at_s,
        frames_used=6,
        frames_rejected=2,
        scores={"glass": 0.1199999, "metal": 0.93456},
    )


def a_record(seq: int, *, bin_name: str | None = "recycling", commanded: bool = False, seed: int = 0) -> DecisionRecord:
    recorder = Recorder(ReplayClock(), ReplayedIds(seed=1000 * seed + seq), "trashnet-lite0@3f2a", "9c1e")
    return recorder.record(a_decision(seq, bin_name=bin_name), seq, commanded=commanded)


def fill(journal: Journal, num_decisions: int, **record: bool) -> None:
    """Append so many decisions, numbered on."""
    for _ in range(num_decisions):
        journal.append(a_record(journal.next_seq, **record))
