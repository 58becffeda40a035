"""`perdure state RUN ADDRESS`: the committed state of one actor."""

from __future__ import annotations

import json
from typing import Any

import click

from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import labelled, note, paint, say, write_answer
from perdure.cli.words import clipped, count
from perdure.ledger.jsonform import to_json
from perdure.ledger.records import Life

LINE_CHARS_MAX = 80


@click.command("state")
@run_argument
@click.argument("address")
@json_option
def command(run: str, address: str, as_json: bool) -> None:
    """Show the fields of the actor at ADDRESS in RUN, as its last closed turn left them.

    Values are in JSON form: {"$": "Read", "path": "a.txt"} is a message. None of the run's code is
    needed.
    """
    with view_of(run) as view:
        fields = {name: to_json(value) for name, value in view.state(address).items()}
        row = view.actor(view.find(address))
        if as_json:
            life = Life(row.life).name.lower()
            who = {"address": row.address, "class": row.class_name, "life": life}
            state = {"incarnation": row.incarnation, "state": fields}
            write_answer({"run": name_of(view.directory), **who, **state})
            return
        life = Life(row.life).name.lower()
        about = f"{row.class_name}   {life}   incarnation {row.incarnation}"
        say(labelled(row.address, f"  {about}"))
        if row.attempts:
            failed = count(row.attempts, "failed attempt")
            say(paint(f"{failed} at the next message: {clipped(row.reason)}", "yellow"))
        for name, form in fields.items():
            say(f"  {paint(name, 'cyan')} = {_text(form)}")
        if not fields:
            note("  no turn has changed its state yet")


def _text(form: Any) -> str:
    """A value on one line if it is short, else on several."""
    line = json.dumps(form, ensure_ascii=False)
    if len(line) <= LINE_CHARS_MAX:
        return line
    return json.dumps(form, ensure_ascii=False, indent=2).replace("\n", "\n  ")
