"""What a change of the site is told as."""

from __future__ import annotations

from datetime import UTC, datetime

from calibration.site.differences import differences
from edge.deciding.rules import NEVER
from edge.site import ClassStep, HeadStep, SiteDescription, ThresholdsStep


def taught_to(bundle: str) -> SiteDescription:
    head = HeadStep(
        made_at=datetime(2026, 1, 2, tzinfo=UTC),
        bundle=bundle,
        labels=("can", "cup"),
        head="head-9a129038d9a0.npz",
        examples="taught-9a129038d9a0.npz",
        num_examples={"cup": 3},
    )
    return SiteDescription(head=head)


def test_the_same_lesson_for_another_model_is_a_change() -> None:
    assert differences(taught_to("a" * 64), taught_to("b" * 64)) == ["head.bundle: aaaaaaaa -> bbbbbbbb"]
    assert differences(taught_to("a" * 64), taught_to("a" * 64)) == []


def test_a_class_that_is_never_accepted_is_told_as_that() -> None:
    def asking(least: float) -> SiteDescription:
        one = ClassStep(min_confidence=least, num_accepted=0, num_right=0, num_items=0)
        made_at, judged = datetime(2026, 1, 2, tzinfo=UTC), "judged-9a129038d9a0.npz"
        step = ThresholdsStep(
            made_at=made_at, bundle="a" * 64, judged=judged, num_pictures=9, wish="all", classes={"cup": one}
        )
        return SiteDescription(thresholds=step)

    assert differences(asking(0.7251), asking(NEVER)) == ["thresholds.classes.cup.min_confidence: 0.7251 -> never"]
