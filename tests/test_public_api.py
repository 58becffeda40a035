"""The public API is one screen, and exactly that."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

import perdure
from tests.sources import none_of

NAMES_MAX = 25


def imported() -> set[str]:
    """The names that type checkers see in the package's door."""
    tree = ast.parse(Path(perdure.__file__).read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in found if (node.module or "").startswith("perdure.")]
    return {alias.name for node in ours for alias in node.names}


def test_the_public_api_is_exactly_its_list() -> None:
    assert imported() == set(perdure.__all__) == set(perdure._HOMES)


@pytest.mark.parametrize("name", perdure.__all__)
def test_a_public_name_is_there_and_lives_where_the_door_says(name: str) -> None:
    assert getattr(perdure, name) is getattr(import_module(perdure._HOMES[name]), name)


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Agent'"):
        perdure.Agent  # noqa: B018


def test_the_list_is_sorted_and_fits_on_a_screen() -> None:
    assert list(perdure.__all__) == sorted(set(perdure.__all__))
    assert len(perdure.__all__) <= NAMES_MAX


@pytest.mark.parametrize(
    "name", ["Actor", "Child", "DeadLetter", "Reject", "Run", "Supervisor", "field", "message"]
)
def test_what_the_design_shows_can_be_imported(name: str) -> None:
    assert name in perdure.__all__


def test_a_public_name_says_what_it_is() -> None:
    none_of([name for name in perdure.__all__ if len(first_line(name).split()) < 3])


def first_line(name: str) -> str:
    return (getattr(perdure, name).__doc__ or "").strip().partition("\n")[0]
