"""`perdure cancel RUN ADDRESS`: an actor and all below it ended for good."""

from __future__ import annotations

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import labelled, say, write_answer
from perdure.cli.words import count
from perdure.ledger.records import Cancel
from perdure.runtime.cancel import cancel_in
from perdure.runtime.home import find_run
from perdure.runtime.ingress import through_the_door
from perdure.runtime.view import View


@click.command("cancel")
@run_argument
@click.argument("address")
@json_option
def command(run: str, address: str, as_json: bool) -> None:
    """End the actor at ADDRESS in RUN, and all below it. Its supervisor does not restart it.

    What waits for them becomes dead letters. A run that goes on goes on without them at once, any
    other at `perdure resume RUN`.
    """
    directory = find_run(run)
    is_live, said = through_the_door(
        directory, "cancel", {"address": address}, lambda: {"record": cancel_in(directory, address)}
    )
    seq = said["record"]
    with View(directory) as view:
        (record,) = view.records(seq, seq)
        body = record.body
        assert isinstance(body, Cancel)
        ended, dead = [view.actor(id).address for id, _, _ in body.lives], len(body.dead)
    name = name_of(directory)
    if as_json:
        write_answer({"run": name, "record": seq, "cancelled": ended, "dead_letters": dead})
        return
    say(f"{address} is cancelled, {count(len(ended), 'actor')} in all (record {seq})")
    if dead:
        letters = count(dead, "message is a dead letter", "messages are dead letters")
        say(labelled("dead", f"{letters}: perdure dead {name}"))
    if not is_live:
        say(labelled("next", f"perdure resume {name}"))
