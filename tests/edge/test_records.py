from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edge.clock import ReplayClock, SystemClock
from edge.records import LiveIds, Recorder, ReplayedIds, moment_of, with_actuation
from tests.edge.records import JumpingClock, a_decision, a_record

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def test_a_record_is_one_line_with_the_documented_keys_in_order() -> None:
    line = replace(a_record(1842, commanded=True), id="01JD", ts="2026-11-21T01:52:07.413Z").to_json()

    assert line == (
        '{"schema":1,"event_type":"accepted","seq":1842,"id":"01JD","ts":"2026-11-21T01:52:07.413Z","t_s":12.43,'
        '"outcome":"accepted","label":"metal","bin":"recycling","confidence":0.9346,"margin":0.81,'
        '"reason":"confident: 6 of 6 frames say metal","frames":{"used":6,"rejected":2},"settled_s":12.05,'
        '"decided_s":12.43,"scores":{"metal":0.9346,"glass":0.12},"model":"trashnet-lite0@3f2a","site":"9c1e",'
        '"commanded":true,"confirmed":null}'
    )


def test_a_reason_with_quotes_breaks_and_other_scripts_stays_one_readable_line() -> None:
    record = replace(a_record(1), decision=replace(a_decision(), reason='"Größe"\n紙'))

    assert "\n" not in record.to_json()
    assert json.loads(record.to_json())["reason"] == '"Größe"\n紙'
    assert "紙" in record.to_json()


def test_scores_that_are_no_number_are_refused_rather_than_written() -> None:
    record = replace(a_record(1), decision=replace(a_decision(), confidence=float("nan")))

    with pytest.raises(ValueError, match="JSON"):
        record.to_json()


def test_a_thousand_classes_leave_the_twenty_likeliest_scores() -> None:
    scores = {f"product-{index:04d}": index / 1000 for index in range(1000)}
    record = replace(a_record(1), decision=replace(a_decision(), scores=scores))

    written = json.loads(record.to_json())["scores"]

    assert list(written) == [f"product-{index:04d}" for index in range(999, 979, -1)]


def test_what_the_actuator_did_replaces_what_was_intended_and_nothing_else() -> None:
    line = a_record(1, commanded=True).to_json()

    assert with_actuation(line, commanded=True, confirmed=None) == line
    assert with_actuation(line, commanded=False, confirmed=False) == line.replace(
        '"commanded":true,"confirmed":null', '"commanded":false,"confirmed":false'
    )


def test_live_ids_are_distinct_ulids_in_the_order_of_their_milliseconds() -> None:
    ids = LiveIds(ReplayClock())

    made = [ids.next_id(second * 0.001) for second in range(200)]

    assert all(_ULID.fullmatch(one) for one in made)
    assert len(set(made)) == len(made)
    assert [one[:10] for one in made] == sorted(one[:10] for one in made)


def test_live_ids_are_in_the_order_of_the_decisions_whatever_the_date_is() -> None:
    clock = JumpingClock()
    made: list[str] = []
    for newest in (None, "a restart"):
        ids = LiveIds(clock, made[-1] if newest else None)
        for year in (2026, 2038, 1970, 2026):
            clock.date = datetime(year, 1, 1, tzinfo=UTC)
            made += [ids.next_id(clock.now_s()) for _ in range(3)]
    assert made == sorted(made)
    assert moment_of(made[0]) == "2026-01-01T00:00:00.000Z"
    assert moment_of(made[-1]).startswith("2038-01-01T00:00:00.")


def test_replayed_ids_repeat_with_the_seed_and_differ_within_a_run() -> None:
    first, second, other = ReplayedIds(seed=1), ReplayedIds(seed=1), ReplayedIds(seed=2)

    run = [first.next_id(12.43) for _ in range(50)]

    assert run == [second.next_id(12.43) for _ in range(50)]
    assert len(set(run)) == len(run)
    assert other.next_id(12.43) not in run
    assert all(_ULID.fullmatch(one) for one in run)


def test_two_replays_of_one_decision_give_the_same_bytes_wall_time_aside() -> None:
    lines = [
        re.sub(
            r'"ts":"[^"]+"',
            '"ts":""',
            Recorder(clock, ReplayedIds(), "m").record(a_decision(), 1, commanded=False).to_json(),
        )
        for clock in (ReplayClock(), SystemClock())
    ]

    assert lines[0] == lines[1]
