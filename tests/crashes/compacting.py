"""A run whose history is dropped when it is over: what is left is whole, and says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perdure import Run
from perdure.errors import NotALedger
from perdure.runtime.compact import compact, cut_at_end
from perdure.runtime.view import View
from tests.crashes.marks import mark
from tests.crashes.torment import TRANSFERS
from tests.crashes.wholeness import look

SETTINGS = ("transfers=12", "accounts=3", "faults=0.0")


def scenario(_: Path) -> Path:
    return TRANSFERS


def drive(disk: Path, scenario: Path) -> dict[str, Any]:
    """Have the run, if need be from its beginning; then drop what is behind it."""
    directory = disk / "home" / "transfers-1"
    try:
        run = Run.resume(directory)
    except NotALedger:
        run = Run(scenario, directory, seed=7, settings=SETTINGS)
    with run:
        result = run.wait(60.0).result
    mark("finished")
    with View(directory) as view:
        at = cut_at_end(view)
    compact(directory, at)
    mark("compacted")
    return {"result": result}


def check(disk: Path, whole: Path, out: list[str]) -> None:
    """The ledger is whole, and as far as was said."""
    directory = disk / "home" / "transfers-1"
    if not (directory / "ledger" / "data.mdb").exists():
        assert out == []
        return
    snapshot = look(directory)
    assert snapshot.status == "finished" or "finished" not in out
    with View(directory) as view:
        assert view.head.cut or "compacted" not in out


def end(disk: Path) -> object:
    """How it ended, and what all accounts have together: who is served first is chance."""
    snapshot = look(disk / "home" / "transfers-1")
    return snapshot.status, sum(state.get("balance", 0) for state in snapshot.states.values())
