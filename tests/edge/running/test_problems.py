from __future__ import annotations

from edge.running.problems import Problems


def test_what_is_wrong_is_told_at_once_and_only_when_it_changes() -> None:
    problems = Problems()
    problems.report("camera", "camera unplugged")
    told: list[list[str]] = []
    problems.listen(told.append)

    problems.report("bin paper", "jam")
    problems.report("bin paper", "jam")
    problems.report("camera", None)
    problems.report("webhook", None)
    problems.report("bin paper", None)

    assert told == [["camera unplugged"], ["camera unplugged", "jam"], ["jam"], []]
    assert problems.sentences() == []
