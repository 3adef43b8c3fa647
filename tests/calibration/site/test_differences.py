"""What a change of the site is told as."""

from __future__ import annotations

from datetime import UTC, datetime

from calibration.site.differences import differences
from edge.site import HeadStep, SiteDescription


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
