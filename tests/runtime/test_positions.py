"""Places in TOML text, checked against what tomllib reads from the same text."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from perdure.runtime.positions import Path, places

WRITTEN = """\
a."b.c".d = [1, 2, {x = 1, y.z = \"\"\"q " } ] \"\"\"}, [3]] # [no] = table
when = 1979-05-27 07:32:00
[[t]]
q = { "$" = "]", 'k' = '}' }
[[t.u]]
k = '''
[not] = 1
it''s'''
  [[t.u]]
  k = "\\""
[t.w]
[[t]]
'a b' = +1_0.5e3
"""


def test_every_way_to_write_a_key_has_its_place() -> None:
    assert places(WRITTEN) == {
        ("a",): (1, 1),
        ("a", "b.c"): (1, 3),
        ("a", "b.c", "d"): (1, 9),
        ("a", "b.c", "d", 0): (1, 14),
        ("a", "b.c", "d", 1): (1, 17),
        ("a", "b.c", "d", 2): (1, 20),
        ("a", "b.c", "d", 2, "x"): (1, 21),
        ("a", "b.c", "d", 2, "y"): (1, 28),
        ("a", "b.c", "d", 2, "y", "z"): (1, 30),
        ("a", "b.c", "d", 3): (1, 51),
        ("a", "b.c", "d", 3, 0): (1, 52),
        ("when",): (2, 1),
        ("t",): (3, 3),
        ("t", 0): (3, 3),
        ("t", 0, "q"): (4, 1),
        ("t", 0, "q", "$"): (4, 7),
        ("t", 0, "q", "k"): (4, 18),
        ("t", 0, "u"): (5, 5),
        ("t", 0, "u", 0): (5, 5),
        ("t", 0, "u", 0, "k"): (6, 1),
        ("t", 0, "u", 1): (9, 7),
        ("t", 0, "u", 1, "k"): (10, 3),
        ("t", 0, "w"): (11, 4),
        ("t", 1): (12, 3),
        ("t", 1, "a b"): (13, 1),
    }


def test_windows_line_ends_change_no_place() -> None:
    assert places(WRITTEN.replace("\n", "\r\n")) == places(WRITTEN)


def in_toml(value: object) -> str:
    """`value` as TOML on one line, every key quoted."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
        case int():
            return str(value)
        case list():
            return "[" + ", ".join(map(in_toml, value)) + "]"
        case dict():
            pairs = (f"{in_toml(key)} = {in_toml(each)}" for key, each in value.items())
            return "{" + ", ".join(pairs) + "}"
    raise AssertionError(value)


def paths(value: Any, above: Path = ()) -> Iterator[Path]:
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, each in pairs:
        yield (*above, key)
        yield from paths(each, (*above, key))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
VALUES = st.recursive(
    st.booleans() | st.integers(-99, 99) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_every_key_that_tomllib_reads_has_the_place_where_its_text_is(data: Any) -> None:
    text = "\n".join(f"{in_toml(key)} = {in_toml(each)}" for key, each in data.items())
    lines = text.split("\n")
    found = places(text)
    assert set(found) == set(paths(tomllib.loads(text)))
    for path, (line, column) in found.items():
        key = path[-1]
        if isinstance(key, str):
            assert lines[line - 1].startswith(in_toml(key) + " =", column - 1)
