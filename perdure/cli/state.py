"""`perdure state RUN ADDRESS`: the committed state of one actor, now or at any point before."""

from __future__ import annotations

import json
from typing import Any

import click

from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import labelled, note, paint, say, write_answer
from perdure.cli.words import clipped, clock, count
from perdure.ledger.jsonform import to_json
from perdure.ledger.records import Life

LINE_CHARS_MAX = 80


@click.command("state")
@run_argument
@click.argument("address")
@click.option("--at", metavar="POINT", help="As of this record number, time or mark.")
@json_option
def command(run: str, address: str, at: str | None, as_json: bool) -> None:
    """Show the fields of the actor at ADDRESS in RUN, as its last closed turn left them.

    With --at, as they were then: after record 17 (`--at 17`), at a time since the run began as
    `perdure trace` shows it (`--at 00:00.02`, `--at +12.5`), at a date and time
    (`--at 2026-05-01T09:30:00Z`; local without Z), or at a mark (`--at draft`). That reads the
    records of this one actor.

    Values are in JSON form: {"$": "Read", "path": "a.txt"} is a message. None of the run's code is
    needed.
    """
    with view_of(run) as view:
        if at is None:
            _now(view, address, as_json)
        else:
            _then(view, address, at, as_json)


def _now(view: Any, address: str, as_json: bool) -> None:
    fields = {name: to_json(value) for name, value in view.state(address).items()}
    row = view.actor(view.find(address))
    life = Life(row.life).name.lower()
    if as_json:
        who = {"address": row.address, "class": row.class_name, "life": life}
        state = {"incarnation": row.incarnation, "state": fields}
        write_answer({"run": name_of(view.directory), **who, **state})
        return
    about = f"{row.class_name}   {life}   incarnation {row.incarnation}"
    say(labelled(row.address, f"  {about}"))
    if row.attempts:
        failed = count(row.attempts, "failed attempt")
        say(paint(f"{failed} at the next message: {clipped(row.reason)}", "yellow"))
    _say_fields(fields)


def _then(view: Any, address: str, at: str, as_json: bool) -> None:
    from perdure.runtime.history import earlier, find_at
    from perdure.runtime.points import point

    seq = point(view, at)
    then = earlier(view, find_at(view, address, seq), seq)
    fields = {name: to_json(value) for name, value in then.fields.items()}
    if as_json:
        who = {"address": then.address, "class": then.class_name, "incarnation": then.incarnation}
        where = {"at": seq, "seq": then.seq, "state_hash": then.state_hash.hex()}
        write_answer({"run": name_of(view.directory), **who, **where, "state": fields})
        return
    life = f"incarnation {then.incarnation}" if then.incarnation else "not started yet"
    about = f"{then.class_name}   {life}   at record {seq}: as record {then.seq} left it"
    if then.seq > view.head.cut:
        about += f", {clock(view.record(then.seq).body.time - view.run.time)}"
    say(labelled(then.address, f"  {about}"))
    _say_fields(fields)


def _say_fields(fields: dict[str, Any]) -> None:
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
