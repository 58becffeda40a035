"""Old runs go whole, and never one that somebody is at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from perdure.ledger.store import open_store
from perdure.runtime.home import all_runs
from perdure.runtime.retention import (
    DELETED,
    Standing,
    delete,
    judge,
    leftovers,
    standings,
)
from tests.cli.verbs import COUNTER, ROOT, perdure

DAY = 86_400 * 1_000_000_000
KILLS = """
from perdure.runtime.home import all_runs
from perdure.runtime.retention import delete, leftovers, standings
from tests.crashes.steps import at_each_step
(run,) = standings()
for number in at_each_step(lambda: delete(run)):
    if not all_runs():
        break
print(number, len(leftovers()), flush=True)
"""


def runs(*statuses: str) -> list[Standing]:
    """Runs of those statuses, one more day old than the other."""
    return [Standing(Path(f"r-{n}"), s, 1, -DAY * n, 1) for n, s in enumerate(statuses, 1)]


def goes(found: list[Standing], **options: Any) -> list[str]:
    verdicts = judge(found, 0, **{"keep": None, "older_ns": None, **options})
    return [each.run.directory.name for each in verdicts if each.goes]


def test_the_newest_of_those_that_are_over_stay() -> None:
    found = runs("finished", "going on", "waiting", "failed", "finished")
    assert goes(found, keep=1) == ["r-4", "r-5"]
    assert goes(found, keep=0) == ["r-1", "r-4", "r-5"]
    assert goes(found, keep=9) == []


def test_what_is_not_old_enough_stays() -> None:
    found = runs("finished", "finished", "finished")
    assert goes(found, older_ns=2 * DAY) == ["r-3"]
    assert goes(found, keep=2, older_ns=DAY // 24) == ["r-3"]
    assert goes(found, keep=1, older_ns=2 * DAY) == ["r-3"]


def test_only_the_statuses_that_are_asked_for_go() -> None:
    found = runs("finished", "going on", "waiting", "interrupted", "unreadable")
    assert goes(found, keep=0, statuses=["waiting"]) == ["r-3"]
    assert goes(found, keep=0, statuses=["interrupted", "unreadable"]) == ["r-4", "r-5"]


def test_a_run_that_somebody_has_come_to_since_it_was_looked_at_stays(own_home: Path) -> None:
    assert perdure("run", COUNTER).exit_code == 0
    (seen,) = standings()
    store = open_store(seen.directory)
    assert not delete(seen)
    store.close()
    assert not delete(seen._replace(seq=seen.seq - 1))
    assert delete(seen)
    assert os.listdir(own_home) == ["last"]


def test_a_run_that_a_process_is_at_is_going_on(own_home: Path) -> None:
    assert perdure("run", COUNTER).exit_code == 0
    (directory,) = all_runs()
    store = open_store(directory)
    assert [run.status for run in standings()] == ["going on"]
    store.close()
    assert [run.status for run in standings()] == ["finished"]


def test_a_kill_leaves_a_run_whole_or_gone_and_the_next_deletion_clears_up(own_home: Path) -> None:
    assert perdure("run", COUNTER).exit_code == 0
    done = subprocess.run(
        [sys.executable, "-c", KILLS], cwd=ROOT, capture_output=True, text=True
    )  # fmt: skip
    steps, left = map(int, done.stdout.split())
    assert steps > 1
    assert left == 1
    assert all_runs() == []
    (path,) = leftovers()
    assert path.name.startswith(DELETED)
    assert perdure("verify", "last").exit_code == 2
    assert perdure("gc", "--keep", "1").exit_code == 0
    assert leftovers() == []
