"""`perdure replay` of runs whose steps were in doubt, and of what people said about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bank import bank, calls
from tests.cli.test_doubt import PAID, STOLEN, doubtful, stalled
from tests.cli.verbs import answer, perdure

__all__ = ["doubtful", "stalled"]


@pytest.mark.parametrize("verdict", [("--happened", '"paid 7"'), ("--did-not-happen",)])
def test_a_step_in_doubt_that_a_person_decided_replays_and_is_not_made(
    doubtful: Path, verdict: tuple[str, ...]
) -> None:
    assert perdure("doubt", doubtful, "10", *verdict).exit_code == 0
    assert answer("resume", doubtful)["result"] == PAID
    before = len(calls(doubtful.parent / "bank"))
    told = answer("replay", doubtful)
    assert (told["identical"], told["turns"], told["skipped"]) == (True, 2, {})
    assert len(calls(doubtful.parent / "bank")) == before


def test_a_stalled_actor_whose_message_was_begun_anew_replays(stalled: Path) -> None:
    assert perdure("clear", stalled, "/bank/payer", "--forget", "--redo").exit_code == 0
    assert answer("resume", stalled)["result"] == {"receipts": ["paid 8"]}
    told = answer("replay", stalled)
    assert (told["identical"], told["turns"], told["code_changed"]) == (True, 2, False)


def test_a_message_that_was_given_up_does_not_run_again(stalled: Path) -> None:
    assert perdure("clear", stalled, "/bank/payer", "--dead").exit_code == 0
    assert perdure("resume", stalled).exit_code in (0, 4)
    told = answer("replay", stalled)
    assert (told["identical"], told["turns"]) == (True, 1)  # its start


def test_a_step_in_doubt_replays_before_anybody_has_decided(doubtful: Path) -> None:
    assert perdure("resume", doubtful, "--no-wait").exit_code == 4
    assert answer("replay", doubtful)["identical"] is True
    bank(doubtful.parent / "bank", STOLEN)
    other = doubtful.parent / "bank"
    assert answer("replay", doubtful, "--code", other)["code_changed"] is True
