"""`perdure verify RUN`: is all of a ledger as it must be?"""

from __future__ import annotations

from pathlib import Path

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import complain, note, paint, say, write_answer
from perdure.cli.words import clock, count
from perdure.cli.working import working
from perdure.errors import LedgerDamaged, LedgerInUse
from perdure.ledger.folded import Violation
from perdure.ledger.group import Head
from perdure.ledger.presence import is_owned
from perdure.ledger.whole import Checked, Tick, check_ledger, check_live_ledger
from perdure.runtime.home import find_run
from perdure.runtime.view import View

EXIT_DAMAGED = 3
SHOWN_MAX = 10


@click.command("verify")
@run_argument
@json_option
def command(run: str, as_json: bool) -> int:
    """Check all of RUN's ledger: pages, hash chain, checksums, and each table against the journal.

    Exits 3 and names the first bad record when something is wrong. If a process is at the run, a
    copy of this moment is checked, which takes as much room on the disk as the ledger.
    """
    directory = find_run(run)
    name = name_of(directory)
    try:
        with working(name) as tick:
            (head, wrong), live = _check(directory, tick)
    except LedgerDamaged as error:
        if not as_json:
            raise
        violation = {"seq": error.seq, "text": str(error)}
        write_answer({"run": name, "ok": False, "first_bad": error.seq, "violations": [violation]})
        return EXIT_DAMAGED
    if as_json:
        _write(name, head.seq, wrong, live)
    elif wrong:
        _complain(name, wrong)
    else:
        rows = count(sum(head.counts.values()), "row")
        whole = paint("whole", "green", bold=True) + (f" as of record {head.seq:,}" if live else "")
        left = f", {head.seq - head.gone:,} of them left" if head.gone else ""
        records = f"{count(head.seq, 'record')}{left}"
        say(f"{name} is {whole}: {records}, {rows}{_lasted(directory, head)}")
        if live:
            note("a process is at it: a copy was checked, and what came since is not in it.")
    return EXIT_DAMAGED if wrong else 0


def _check(directory: Path, tick: Tick) -> tuple[Checked, bool]:
    """What is found, and whether a process is at the run."""
    if not is_owned(directory):
        try:
            return check_ledger(directory, tick), False
        except LedgerInUse:
            if not is_owned(directory):
                raise
    return check_live_ledger(directory, tick), True


def _lasted(directory: Path, head: Head) -> str:
    """How long the run has taken."""
    if not head.seq:
        return ""
    with View(directory) as view:
        return f", {clock(head.time_ns - view.run.time)}"


def _write(name: str, seq: int, wrong: list[Violation], live: bool) -> None:
    violations = [each._asdict() for each in wrong]
    first = wrong[0].seq if wrong else None
    found = {"records": seq, "ok": not wrong, "first_bad": first, "violations": violations}
    write_answer({"run": name, "live": live, **found})


def _complain(name: str, wrong: list[Violation]) -> None:
    complain(f"{name} contradicts itself, first at record {wrong[0].seq}:")
    for violation in wrong[:SHOWN_MAX]:
        complain(str(violation))
    if len(wrong) > SHOWN_MAX:
        complain(f"… and {len(wrong) - SHOWN_MAX:,} more")
