"""A run and a fork of it: a fork is there whole, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from perdure import Run
from perdure.errors import NotALedger
from perdure.ledger.store import open_store
from perdure.runtime.fork import fork
from tests.crashes.marks import mark
from tests.crashes.wholeness import look

COUNTER = Path(__file__).parents[2] / "scenarios" / "counter"
AT = 10


def scenario(_: Path) -> Path:
    return COUNTER


def drive(disk: Path, scenario: Path) -> dict[str, Any]:
    """Have the run, if need be from its beginning; then fork it, unless that was done."""
    source, target = disk / "home" / "counter-1", disk / "forks" / "counter-2"
    try:
        run = Run.resume(source)
    except NotALedger:
        run = Run(scenario, source, seed=7)
    with run:
        result = run.wait(60.0).result
    mark("finished")
    if not target.exists():
        shutil.rmtree(target.parent, ignore_errors=True)  # half a fork, under another name
        fork(source, AT, target)
    mark("forked")
    return {"result": result}


def check(disk: Path, whole: Path, out: list[str]) -> None:
    """What was said to be there is, and what is there is whole."""
    source, target = disk / "home" / "counter-1", disk / "forks" / "counter-2"
    if (source / "ledger" / "data.mdb").exists():
        assert look(source).status == "finished" or "finished" not in out
    else:
        assert "finished" not in out
    if target.exists():
        look(target)
        store = open_store(target, write=False)
        assert store.head().seq > AT  # it knows that it is a fork
        store.close()
    else:
        assert "forked" not in out


def end(disk: Path) -> object:
    """What the run came to."""
    return look(disk / "home" / "counter-1").states
