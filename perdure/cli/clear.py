"""`perdure clear RUN ADDRESS`: repair an actor that waits for one."""

from __future__ import annotations

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import labelled, say, write_answer
from perdure.errors import UsageError
from perdure.runtime.home import find_run

TEXTS = {
    "again": "{address} is looked at again",
    "forget": "{address} handles its message as if it were new: the steps of it are forgotten",
    "dead": "the message that stopped {address} is a dead letter",
}


@click.command("clear")
@run_argument
@click.argument("address")
@click.option("--again", "verb", flag_value="again", help="Look again at what stopped it.")
@click.option("--forget", "verb", flag_value="forget", help="Forget the message's steps.")
@click.option("--dead", "verb", flag_value="dead", help="Make the message a dead letter.")
@click.option("--redo", is_flag=True, help="With --forget: effects of it may happen twice.")
@json_option
def command(run: str, address: str, verb: str | None, redo: bool, as_json: bool) -> None:
    """Repair the stalled actor at ADDRESS of RUN: a run that goes on goes on with it at once.

    --again: what stopped it was mended outside, the code for one. `perdure resume` looks again,
    too. --forget: its message is handled as if it were new; steps that happened happen again (with
    the same idempotency keys), its asks are sent again, and children that it spawned are ended. An
    effect that is in doubt, or happened and is not idempotent, is only forgotten with --redo.
    --dead: the message is given up; who asked with it is told.
    """
    from perdure.runtime.ingress import through_the_door
    from perdure.runtime.verdicts import clear

    if verb is None:
        raise UsageError(f"how? Give one of --again, --forget and --dead for {address}.")
    if redo and verb != "forget":
        raise UsageError("--redo belongs to --forget: it lets effects happen twice.")
    directory = find_run(run)
    fields, how = {"address": address, "how": verb, "redo": redo}, verb
    is_live, _ = through_the_door(
        directory, "clear", fields, lambda: clear(directory, address, how, redo=redo)
    )
    name = name_of(directory)
    if as_json:
        write_answer({"run": name, "actor": address, "verdict": verb})
    else:
        say(TEXTS[verb].format(address=address))
        if not is_live:
            say(labelled("next", f"perdure resume {name}"))
