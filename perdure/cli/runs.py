"""`perdure runs`: the runs there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from perdure.cli.options import json_option
from perdure.cli.say import columns, fitted, note, paint, say, write_answer
from perdure.cli.summary import COLOURS
from perdure.cli.words import clipped, count, moment
from perdure.errors import LedgerError
from perdure.runtime.document import shown
from perdure.runtime.home import all_runs, home
from perdure.runtime.view import View

REASON_CHARS_MAX = 60


@click.command("runs")
@json_option
def command(as_json: bool) -> None:
    """List the runs in the home, the most recent first: $PERDURE_HOME, or .perdure here."""
    found = [_form(directory) for directory in all_runs()]
    if as_json:
        write_answer({"home": str(home()), "runs": found})
    elif not found:
        note(f"{shown(home())} holds no runs yet. `perdure run SCENARIO` makes one.")
    else:
        for line in columns([_row(form) for form in found]):
            say(fitted(line))


def _form(directory: Path) -> dict[str, Any]:
    """One run; one that cannot be read says why."""
    form: dict[str, Any] = {"run": directory.name, "ledger": str(directory)}
    try:
        with View(directory) as view:
            head, status = view.head, view.status
            return form | {
                "status": status.status,
                "reason": status.reason,
                "began": moment(view.run.time),
                "records": head.seq,
                "dead_letters": view.dead_letter_count,
                "goal": view.run.goal,
            }
    except LedgerError as error:
        return form | {"status": "unreadable", "reason": str(error)}


def _row(form: dict[str, Any]) -> list[str]:
    status = paint(form["status"], COLOURS.get(form["status"], "yellow"))
    if "records" not in form:
        return [form["run"], status, clipped(form["reason"], REASON_CHARS_MAX)]
    dead = count(form["dead_letters"], "dead letter") if form["dead_letters"] else ""
    return [
        form["run"],
        status,
        form["began"],
        count(form["records"], "record"),
        dead,
        form["goal"],
    ]
