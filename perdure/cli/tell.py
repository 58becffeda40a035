"""`perdure tell RUN ADDRESS JSON`: a message for an actor of a run, or a question to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from perdure.actors.recovery import read_lineage
from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import labelled, say, write_answer
from perdure.cli.words import called, written
from perdure.errors import PerdureError, ScenarioError, UnknownActor, UsageError
from perdure.ledger.jsonform import to_json
from perdure.ledger.keys import name_key
from perdure.ledger.presence import is_owned
from perdure.ledger.values import Codec
from perdure.limits import POST_WAIT_SECONDS
from perdure.runtime.home import find_run
from perdure.runtime.ingress import outcome, post
from perdure.runtime.program import Program
from perdure.runtime.view import View

ASK_SECONDS = 30.0


@click.command("tell")
@run_argument
@click.argument("address")
@click.argument("message", metavar="JSON")
@click.option("--ask", "asks", is_flag=True, help="Wait for the answer, and print it.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.0),
    metavar="SECONDS",
    help=f"Wait so long: {POST_WAIT_SECONDS:g} for a receipt, {ASK_SECONDS:g} for an answer.",
)
@json_option
def command(
    run: str, address: str, message: str, asks: bool, timeout: float | None, as_json: bool
) -> None:
    """Send a message to the actor at ADDRESS of RUN: {"$": "Found", "page": "x"}.

    \b
    A run that goes on takes it at once; the receipt is its id, once that is durable.
    Any other takes it at `perdure resume RUN`. Exits 4 when it is not taken or answered
    in time (it stays posted), 1 when the question failed, 2 when it was refused.
    """
    directory = find_run(run)
    form, is_live = _read(message), is_owned(directory)
    if asks and not is_live:
        raise UsageError(
            f"no process is at {name_of(directory)}, so nobody would answer. `perdure resume` it "
            "in another terminal; or leave --ask away, and it is told at the next resume."
        )
    with View(directory) as view:
        _check_address(view, address)
        if not is_live:
            _check_message(view, form)
    posted = post(directory, "ask" if asks else "tell", {"to": address, "message": form})
    if not is_live:
        _tell_posted(directory, address, posted.id, as_json)
        return
    seconds = timeout if timeout is not None else ASK_SECONDS if asks else POST_WAIT_SECONDS
    came = outcome(directory, posted, timeout=seconds)
    name = name_of(directory)
    if asks:
        if as_json:
            write_answer({"run": name, "to": address, "answer": to_json(came)})
        else:
            say(written(came))
    elif as_json:
        write_answer({"run": name, "to": address, "post": posted.id, **came})
    else:
        say(f"told {address}, as message {came['message']}")


def _tell_posted(directory: Path, address: str, post_id: str, as_json: bool) -> None:
    name = name_of(directory)
    if as_json:
        write_answer({"run": name, "to": address, "post": post_id, "message": None})
        return
    say(f"posted for {address}: {name} takes it when it goes on")
    say(labelled("next", f"perdure resume {name}"))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"{text:.80}: this is no JSON ({error}). A message is written "
            '\'{"$": "Found", "page": "x"}\', a text \'"so"\'.'
        ) from None


def _check_address(view: View, address: str) -> None:
    """Refuse an address that nobody has; one that was given up is no typing error."""
    if view.store.get(name_key(address)) is None:
        id = view.find(address)
        raise UnknownActor(f"{address} has ended ({view.actor(id).reason or 'normal'}).")


def _check_message(view: View, form: Any) -> None:
    """Refuse a message that the run's code refuses, if that code can be loaded here."""
    try:
        header, code, *_ = read_lineage(view.store)
        program = Program.resumed(header, code)
    except (PerdureError, ScenarioError, OSError):
        return  # who resumes the run has its code, and has the last word
    value = Codec(program.names).from_json(form)
    Codec(program.names).encode(value, called(value))
