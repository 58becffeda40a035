"""`perdure replay` of a fork that goes on with other code: what runs with which is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.runtime.view import View
from tests.cli.verbs import COUNTER, answer, perdure
from tests.runtime.test_replay_of_forks import doubled

__all__ = ["doubled"]


@pytest.fixture
def begun(doubled: Path) -> int:
    """The record that made it a fork."""
    with View(doubled) as view:
        return view.lineage.at + 1


def test_it_says_from_which_record_on_a_fork_has_its_own_code(doubled: Path, begun: int) -> None:
    shown = perdure("replay", doubled)
    assert shown.exit_code == 0
    assert f"from record {begun} on, as of a fork: " in shown.stdout
    assert "other/actors.py" in shown.stdout
    assert "is not what this run began with" not in shown.stdout
    assert "every state hash and intent identical" in shown.stdout


def test_the_code_of_the_parent_differs_after_the_fork_and_that_is_said(
    doubled: Path, begun: int
) -> None:
    shown = perdure("replay", doubled, "--code", COUNTER)
    assert shown.exit_code == 1
    assert "as of a fork" not in shown.stdout
    assert " with other code than this" in shown.stdout
    told = answer("replay", doubled, "--code", COUNTER)
    assert told["divergence"]["seq"] > begun
    assert told["code_changed"] is True


def test_up_to_its_fork_record_a_fork_is_its_parent(doubled: Path, begun: int) -> None:
    shown = perdure("replay", doubled, "--code", COUNTER, "--until", str(begun - 1))
    assert shown.exit_code == 0
    assert "code" not in shown.stdout.replace("   code ", "", 1)
