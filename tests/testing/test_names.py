"""The names that users import from perdure.testing: they are there, and say what they are."""

from __future__ import annotations

import pytest

from perdure import testing


def test_each_name_is_there_and_has_a_docstring() -> None:
    for name in testing.__all__:
        assert getattr(testing, name).__doc__, name


def test_another_name_is_none() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Rehearsal'"):
        testing.Rehearsal  # noqa: B018
