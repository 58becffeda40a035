"""The public API is one screen, and exactly that."""

from __future__ import annotations

from types import ModuleType

import pytest

import perdure
from tests.sources import none_of

NAMES_MAX = 25


def shown() -> list[str]:
    """The public names of the package; submodules are importable, and no part of it."""
    names = (n for n in dir(perdure) if not n.startswith("_"))
    return sorted(
        n for n in names if not isinstance(getattr(perdure, n), ModuleType) and n != "annotations"
    )


def test_the_public_api_is_exactly_its_list() -> None:
    assert shown() == sorted(perdure.__all__)


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
