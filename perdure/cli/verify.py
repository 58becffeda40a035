"""`perdure verify RUN`: is all of a ledger as it must be?"""

from __future__ import annotations

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import complain, paint, say, write_answer
from perdure.cli.words import clock, count
from perdure.errors import LedgerDamaged
from perdure.ledger.audit import audit_store
from perdure.ledger.folded import Violation
from perdure.ledger.verify import verify_store
from perdure.runtime.home import find_run
from perdure.runtime.view import View

EXIT_DAMAGED = 3
SHOWN_MAX = 10


@click.command("verify")
@run_argument
@json_option
def command(run: str, as_json: bool) -> int:
    """Check all of RUN's ledger: pages, hash chain, checksums, and each table against the journal.

    Exits 3 and names the first bad record when something is wrong. No process may be at the run.
    """
    directory = find_run(run)
    name = name_of(directory)
    try:
        head = verify_store(directory)
        with View(directory) as view:
            wrong = audit_store(view.store)
            lasted = head.time_ns - view.run.time if head.seq else 0
    except LedgerDamaged as error:
        if not as_json:
            raise
        violation = {"seq": error.seq, "text": str(error)}
        write_answer({"run": name, "ok": False, "first_bad": error.seq, "violations": [violation]})
        return EXIT_DAMAGED
    if as_json:
        _write(name, head.seq, wrong)
    elif wrong:
        _complain(name, wrong)
    else:
        rows = count(sum(head.counts.values()), "row")
        whole = paint("whole", "green", bold=True)
        say(f"{name} is {whole}: {count(head.seq, 'record')}, {rows}, {clock(lasted)}")
    return EXIT_DAMAGED if wrong else 0


def _write(name: str, seq: int, wrong: list[Violation]) -> None:
    violations = [each._asdict() for each in wrong]
    first = wrong[0].seq if wrong else None
    found = {"records": seq, "ok": not wrong, "first_bad": first, "violations": violations}
    write_answer({"run": name, **found})


def _complain(name: str, wrong: list[Violation]) -> None:
    complain(f"{name} contradicts itself, first at record {wrong[0].seq}:")
    for violation in wrong[:SHOWN_MAX]:
        complain(str(violation))
    if len(wrong) > SHOWN_MAX:
        complain(f"… and {len(wrong) - SHOWN_MAX:,} more")
