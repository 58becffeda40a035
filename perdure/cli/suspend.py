"""`perdure suspend RUN ADDRESS`: have an actor take no messages, or take them again."""

from __future__ import annotations

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import labelled, say, write_answer
from perdure.runtime.home import find_run
from perdure.runtime.ingress import through_the_door
from perdure.runtime.suspend import suspend_in


@click.command("suspend")
@run_argument
@click.argument("address")
@click.option("--off", is_flag=True, help="Have it go on.")
@json_option
def command(run: str, address: str, off: bool, as_json: bool) -> None:
    """Have the actor at ADDRESS of RUN take no messages until it is told to go on, with --off.

    What is sent to it waits. A suspended supervisor starts and stops nobody. A run that goes on has
    it so at once, any other at `perdure resume RUN`.
    """
    directory = find_run(run)
    fields = {"address": address, "on": not off}
    is_live, _ = through_the_door(
        directory, "suspend", fields, lambda: suspend_in(directory, address, not off)
    )
    name = name_of(directory)
    if as_json:
        write_answer({"run": name, "actor": address, "suspended": not off})
        return
    say(f"{address} " + ("takes messages again" if off else "is suspended"))
    if not is_live:
        say(labelled("next", f"perdure resume {name}"))
