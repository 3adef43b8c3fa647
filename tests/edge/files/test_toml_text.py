"""What is written must be read back as it was, whatever the strings hold."""

from __future__ import annotations

import tomllib
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from edge.files.toml_text import to_toml

SCALARS = st.one_of(
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=8),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.datetimes(timezones=st.just(UTC)),
)
KEYS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=6)
NAMED = st.dictionaries(KEYS, st.none() | SCALARS, max_size=3)
LISTS = st.lists(st.one_of(SCALARS, NAMED), max_size=3)
VALUES = st.one_of(st.none(), SCALARS, LISTS)
TABLES = st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)


@given(st.dictionaries(KEYS, TABLES, max_size=4))
def test_every_table_is_read_back_as_it_was_written_but_for_what_is_not_set(table: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(table)) == without_none(table)


def without_none(value: object) -> object:
    match value:
        case dict():
            return {key: without_none(inner) for key, inner in value.items() if inner is not None}
        case list():
            return [without_none(inner) for inner in value]
        case _:
            return value
