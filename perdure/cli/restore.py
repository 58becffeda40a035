"""`perdure restore RUN ADDRESS MARK`: an actor, and all below it, set back to a mark."""

from __future__ import annotations

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import labelled, note, say, write_answer
from perdure.cli.words import count
from perdure.runtime.home import find_run
from perdure.runtime.restore import restore


@click.command("restore")
@run_argument
@click.argument("address")
@click.argument("mark")
@json_option
def command(run: str, address: str, mark: str, as_json: bool) -> None:
    """Set the state of the actor at ADDRESS, and of all below it, back to what it was at MARK.

    It needs a run that no process is at; `perdure resume RUN` goes on from there. Who was born
    after the mark starts over. Inboxes and what is journaled stay as they are.
    """
    directory = find_run(run)
    found = restore(directory, address, mark)
    name = name_of(directory)
    if as_json:
        forms = [each._asdict() for each in found]
        write_answer({"run": name, "mark": mark, "restored": forms})
        return
    for each in found:
        to = f"as of record {each.as_of}" if each.as_of else "as when it was new"
        say(f"{each.address}  {to}, {count(each.undone, 'turn')} undone")
    if not found:
        note(f"nothing at {address} has changed since {mark}.")
    say(labelled("next", f"perdure resume {name}"))
