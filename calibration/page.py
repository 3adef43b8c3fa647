"""Teaching from the bin's page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from calibration.site.site_file import SiteFolder
from calibration.teaching.lessons import Lesson
from calibration.teaching.teach import Teaching
from edge.bundle import Bundle
from edge.messages import Image


class PageTeacher:
    """Teaches the site in folder `site` what was looked at on the page; see `edge.web.window.Teacher`."""

    def __init__(self, bundle: Bundle, site: Path) -> None:
        self._bundle = bundle
        self._folder = SiteFolder(site)

    def teach(self, label: str, images: Sequence[Image]) -> str:
        """Learn and keep; gives what came of it, a sentence a line. One thread of the processor, for some seconds.

        Raises:
            SorterError: it could not be learned or written.
        """
        # The network is opened for each lesson: a bin is taught once in months.
        lesson = Teaching(self._bundle, self._folder, num_threads=1).teach(label, images)
        return "\n".join([_result(lesson), *map(_sentence, lesson.doubts())])


def _result(lesson: Lesson) -> str:
    told = [(one.num_examples, one.right_after) for one in lesson.reports if one.right_after is not None]
    num_right, num_looks = sum(right for _, right in told), sum(looks for looks, _ in told)
    right = f"Of {num_looks} looks it tells {num_right} right, each judged as if that thing had not been shown. "
    return f"Learned. {right if told else ''}Take the thing out, and it knows it from then on."


def _sentence(doubt: str) -> str:
    return f"{doubt[0].upper()}{doubt[1:]}."
