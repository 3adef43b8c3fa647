from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError, model_validator

from edge.errors import first_problem


class Flap(BaseModel):
    pins: tuple[int, ...] = ()

    @model_validator(mode="after")
    def one_pin_moves_one_flap(self) -> Flap:
        if len(self.pins) > 1:
            raise ValueError("one pin for one flap")
        return self


class Bins(BaseModel):
    flaps: dict[str, Flap]


@pytest.mark.parametrize(
    ("model", "text", "told"),
    [
        (Bins, '{"flaps": {"glass": {"pins": [3, "x"]}}}', "flaps.glass.pins.1: Input should be a valid integer"),
        (Bins, '{"flaps": {"glass": {"pins": [3, 4]}}}', "flaps.glass: one pin for one flap"),
        (Flap, '{"pins": [3, 4]}', "the file: one pin for one flap"),
        (Flap, "{", "the file: Invalid JSON"),
    ],
)
def test_the_first_problem_is_told_with_its_place(model: type[BaseModel], text: str, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(text)
    assert first_problem(caught.value).startswith(told)


def test_what_is_no_file_has_a_name_of_its_own() -> None:
    with pytest.raises(ValidationError) as caught:
        Flap.model_validate_json("[]")
    assert first_problem(caught.value, "the request").startswith("the request: Input should be an object")
