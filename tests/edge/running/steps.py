"""A loop to step, without a camera."""

from __future__ import annotations


class Steps:
    """A loop that gives each answer once, or raises it; an empty scene lies before it."""

    is_idle = True

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self.is_finished = False

    def step(self) -> bool:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def finish(self) -> None:
        self.is_finished = True
