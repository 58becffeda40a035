"""Differences: the smallest parts in which two values in JSON form differ."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.ledger.jsondiff import ABSENT, differences

A = ABSENT
leaves = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"])
forms = st.recursive(
    leaves,
    lambda parts: (
        st.lists(parts, max_size=4) | st.dictionaries(st.sampled_from("xyz"), parts, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 1, []),
        (1, 2, [("", 1, 2)]),
        (1, True, [("", 1, True)]),
        ([1], [True], [("[0]", 1, True)]),
        ({"a": 1}, {"a": 1, "b": 2}, [("['b']", A, 2)]),
        ({"a": {"b": [1, 2, 3]}}, {"a": {"b": [1, 3]}}, [("['a']['b'][1]", 2, A)]),
        ([1, 2], [0, 1, 2], [("[0]", A, 0)]),
        ([1, {"x": 1}, 3], [1, {"x": 2}, 3], [("[1]['x']", 1, 2)]),
        ([1], [1, 2, 3], [("[1]", A, 2), ("[2]", A, 3)]),
        ({"$set": [1, 2]}, {"$set": [2, 3]}, [("", 1, A), ("", A, 3)]),
        ({"$tuple": [1, 2]}, {"$tuple": [1, 5]}, [("[1]", 2, 5)]),
        ({"$dict": [[1, "a"]]}, {"$dict": [[1, "b"]]}, [("[1]", "a", "b")]),
        ({}, {"$dict": [[1, "b"]]}, [("[1]", A, "b")]),
        ({"$dict": [[1, 2]]}, {"1": 2}, [("[1]", 2, A), ("['1']", A, 2)]),
        ({"$": "Read", "path": "a"}, {"$": "Read", "path": "b"}, [(".path", "a", "b")]),
        (
            {"$": "Read", "path": "a"},
            {"$": "Found", "path": "a"},
            [("", {"$": "Read", "path": "a"}, {"$": "Found", "path": "a"})],
        ),
        ({"$set": [1]}, {"x": 1}, [("", {"$set": [1]}, {"x": 1})]),
        (A, [1], [("", A, [1])]),
    ],
)
def test_the_parts_that_differ(before: Any, after: Any, expected: list[Any]) -> None:
    assert list(differences(before, after)) == expected


@given(forms)
def test_a_value_does_not_differ_from_its_copy(form: Any) -> None:
    assert list(differences(form, copy.deepcopy(form))) == []


@given(forms, forms)
def test_unequal_values_differ_somewhere(before: Any, after: Any) -> None:
    if repr(before) != repr(after) and before != after:
        assert list(differences(before, after)) != []
