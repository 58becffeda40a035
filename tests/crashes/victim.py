"""A process to be killed: runs go on in its forked children, which say how far they are on disk.

    python -m tests.crashes.victim      # a job per line of standard input, as JSON

Perdure is imported once and forked for each job, so that a kill a few milliseconds into a job lands
in perdure's own start: the ledger being made, or opened and taken up. What is said, a line each, on
standard output: `pid N`, `durable SEQ` for every group, then `report {…}` or `error {…}`, and last,
by the parent, `ended CODE`, which is negative for a signal.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from perdure import Report, Run
from perdure.actors import interruptions
from perdure.errors import NotALedger, PerdureError
from perdure.ledger.group import Head
from perdure.ledger.store import LmdbStore, open_store

RUN_SECONDS_MAX = 120.0
KILLS_MAX = 1_000_000  # in a row, at one message


class Telling:
    """A ledger that says on standard output how far it is durable."""

    def __init__(self, store: LmdbStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, *args: Any, **options: Any) -> Head:
        head = self._store.commit(*args, **options)
        say("durable", head.seq)
        return head


def say(word: str, value: object) -> None:
    """One line, in one write: the parent writes to the same pipe."""
    os.write(1, f"{word} {value}\n".encode())


def begin(job: dict[str, Any]) -> Run:
    """The job's run: taken up if there is one in its directory, else begun."""
    directory = job["directory"]
    crash = {"crash_at": job["crash_at"], "crash_before": job["crash_before"]}
    try:
        return Run.resume(directory, store=Telling(open_store(directory)), **crash)
    except NotALedger:
        return Run(
            job["scenario"],
            directory,
            seed=job["seed"],
            settings=job["settings"],
            store=Telling(open_store(directory, create=True)),
            **crash,
        )


def live(job: dict[str, Any]) -> None:
    """The life of a forked child."""
    say("pid", os.getpid())
    try:
        with begin(job) as run:
            report: Report = run.wait(RUN_SECONDS_MAX)
    except (PerdureError, TimeoutError) as error:
        say("error", json.dumps({"error": type(error).__name__, "text": str(error)}))
    else:
        of_interest = {"status": report.status, "reason": report.reason, "result": report.result}
        say("report", json.dumps(of_interest))


def main() -> None:
    # These kills come from outside, however many in a row fall on the same message. By its rule
    # the runtime would give it up at the third; `test_interruptions.py` is about that.
    interruptions.INTERRUPTIONS_MAX = KILLS_MAX  # type: ignore[attr-defined]
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 70  # neither end nor death of a run: a bug of the tests or of perdure
            try:
                live(json.loads(line))
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        say("ended", os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
