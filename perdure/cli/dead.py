"""`perdure dead RUN`: dead letters, and `perdure dead RUN requeue ID`: one of them sent again."""

from __future__ import annotations

from typing import Any

import click

from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import fitted, labelled, note, paint, say, write_answer
from perdure.cli.words import called, clipped, clock, count
from perdure.errors import UsageError
from perdure.ids import MessageId
from perdure.ledger.jsonform import to_json
from perdure.runtime.home import find_run
from perdure.runtime.ingress import through_the_door
from perdure.runtime.requeue import requeue
from perdure.runtime.view import Letter, View


@click.command("dead")
@run_argument
@click.argument("action", nargs=-1, metavar="[requeue ID]")
@json_option
def command(run: str, action: tuple[str, ...], as_json: bool) -> None:
    """List the dead letters of RUN, or send the one with that ID again.

    A run that goes on handles the message at once, any other at `perdure resume RUN`.
    """
    match action:
        case ():
            with view_of(run) as view:
                _list(view, as_json)
        case ("requeue", id):
            _requeue(run, MessageId.parse(id), as_json)
        case _:
            said = " ".join(action)
            raise UsageError(f"`perdure dead RUN {said}` is no verb. Write: dead RUN requeue ID.")


def _list(view: View, as_json: bool) -> None:
    name = "" if view.directory is None else name_of(view.directory)
    start_ns = view.run.time
    letters = view.dead_letters()
    if as_json:
        forms = [_form(letter, start_ns) for letter in letters]
        write_answer({"run": name, "dead_letters": forms})
        return
    found = 0
    for letter in letters:
        found += 1
        message = called(letter.message)
        say(fitted(f"{paint(str(letter.id), bold=True)}  {letter.to}  {message}"))
        tries = count(letter.attempts, "attempt") if letter.attempts else "never tried"
        when = clock(letter.time - start_ns)
        say(fitted(f"    {paint(f'{when}  {tries}:', dim=True)} {clipped(letter.reason)}"))
    if found:
        note(f"\n{count(found, 'dead letter')}. `perdure dead {name} requeue ID` sends one again.")
    else:
        note(f"{name} has no dead letters.")


def _form(letter: Letter, start_ns: int) -> dict[str, Any]:
    return {
        "id": str(letter.id),
        "to": letter.to,
        "message": to_json(letter.message),
        "reason": letter.reason,
        "attempts": letter.attempts,
        "seconds": round((letter.time - start_ns) / 1e9, 6),
    }


def _requeue(run: str, id: MessageId, as_json: bool) -> None:
    directory = find_run(run)
    with View(directory) as view:
        letter = view.dead_letter(id)
    is_live, said = through_the_door(
        directory,
        "requeue",
        {"message": str(id)},
        lambda: {"message": str(requeue(directory, id))},
    )
    new = said["message"]
    name = name_of(directory)
    if as_json:
        write_answer({"run": name, "requeued": str(id), "message": new})
    else:
        say(f"{id} is sent again, as {new}: {called(letter.message)} to {letter.to}")
        if not is_live:
            say(labelled("next", f"perdure resume {name}"))
