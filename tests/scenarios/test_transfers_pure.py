"""The pure half of `transfers`: what is dealt, and what is written at the end."""

from __future__ import annotations

import json

import pytest

from tests.scenarios.modules import load

actors = load("transfers", "actors")


def test_a_seed_deals_the_same_transfers_each_time_and_another_seed_others() -> None:
    assert actors.deal(1, 8, 500) == actors.deal(1, 8, 500)
    assert actors.deal(1, 8, 500) != actors.deal(2, 8, 500)


def test_transfers_are_numbered_and_go_between_two_different_accounts() -> None:
    dealt = actors.deal(3, 3, 200)
    assert [debit.transfer for _, debit in dealt] == list(range(1, 201))
    assert all(payer != debit.to for payer, debit in dealt)
    assert {payer for payer, _ in dealt} == {debit.to for _, debit in dealt} == {1, 2, 3}
    assert all(1 <= debit.amount <= actors.AMOUNT_MAX for _, debit in dealt)


def test_one_account_cannot_transfer() -> None:
    with pytest.raises(ValueError, match="accounts=2 or more"):
        actors.deal(1, 1, 10)


def test_the_ledger_does_not_depend_on_the_order_of_statements() -> None:
    two = actors.Statement("2", 110, (7,), (3, 1))
    ten = actors.Statement("10", 90, (1, 3), (7,))
    text = actors.render_ledger({"2": two, "10": ten})
    assert text == actors.render_ledger({"10": ten, "2": two})
    assert json.loads(text) == {
        "balances": {"2": 110, "10": 90},
        "total": 200,
        "debited": [1, 3, 7],
        "credited": [1, 3, 7],
    }


def test_a_transfer_applied_twice_shows_twice() -> None:
    text = actors.render_ledger({"1": actors.Statement("1", 0, (4, 4), ())})
    assert json.loads(text)["debited"] == [4, 4]
