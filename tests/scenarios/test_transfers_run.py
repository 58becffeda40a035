"""The transfers from end to end: nothing is lost, nothing twice, whatever crashes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perdure import Report, Run
from perdure.ledger.journal import read_record
from perdure.ledger.records import Crash
from perdure.ledger.store import open_store
from tests.crashes.wholeness import artifacts, check_money, look
from tests.scenarios.modules import SCENARIOS, load

SECONDS_MAX = 60.0
TRANSFERS = 60
ACCOUNTS = 4
OPENING = 1_000


def run_transfers(directory: Path, *settings: str) -> Report:
    given = [f"transfers={TRANSFERS}", f"accounts={ACCOUNTS}", f"opening={OPENING}", *settings]
    with Run(SCENARIOS / "transfers", directory, seed=7, settings=given) as run:
        return run.wait(SECONDS_MAX)


def balances_by_hand() -> dict[str, int]:
    balances = {str(number): OPENING for number in range(1, ACCOUNTS + 1)}
    for payer, debit in load("transfers", "actors").deal(1, ACCOUNTS, TRANSFERS):
        balances[str(payer)] -= debit.amount
        balances[str(debit.to)] += debit.amount
    return balances


def crashes(directory: Path) -> list[Any]:
    store = open_store(directory, write=False)
    try:
        bodies = [read_record(raw).body for raw in store.records()]
    finally:
        store.close()
    return [body for body in bodies if isinstance(body, Crash)]


@pytest.mark.parametrize(("faults", "least_crashes"), [(0.0, 0), (0.3, 20), (1.0, 2 * TRANSFERS)])
def test_each_transfer_is_applied_once_however_many_turns_crash(
    tmp_path: Path, faults: float, least_crashes: int
) -> None:
    report = run_transfers(tmp_path, f"faults={faults}")
    ledger = json.loads(artifacts(tmp_path)["ledger.json"])
    everyone = list(range(1, TRANSFERS + 1))
    assert report.status == "finished"
    assert report.result == {"total": ACCOUNTS * OPENING, "transfers": TRANSFERS}
    assert ledger == {
        "balances": balances_by_hand(),
        "total": ACCOUNTS * OPENING,
        "debited": everyone,
        "credited": everyone,
    }
    assert len(crashes(tmp_path)) >= least_crashes
    check_money(look(tmp_path), ACCOUNTS, OPENING, TRANSFERS)


def test_a_crash_is_the_only_difference_that_faults_make(tmp_path: Path) -> None:
    run_transfers(tmp_path / "without", "faults=0.0")
    run_transfers(tmp_path / "with", "faults=0.3")
    assert crashes(tmp_path / "without") == []
    assert artifacts(tmp_path / "with") == artifacts(tmp_path / "without")
