"""`perdure doubt RUN`: steps that may have happened or not, and what became of one."""

from __future__ import annotations

import json
from typing import Any

import click

from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import fitted, labelled, note, paint, say, write_answer
from perdure.cli.words import called, count
from perdure.errors import UsageError
from perdure.ids import MessageId
from perdure.ledger.jsonform import to_json
from perdure.runtime.doubts import Doubt
from perdure.runtime.home import find_run
from perdure.runtime.view import View


@click.command("doubt")
@run_argument
@click.argument("intent", required=False, type=click.IntRange(1), metavar="[ID]")
@click.option("--happened", metavar="JSON", help="It happened, and this is its result.")
@click.option("--did-not-happen", "refuted", is_flag=True, help="It did not: begin it anew.")
@json_option
def command(
    run: str, intent: int | None, happened: str | None, refuted: bool, as_json: bool
) -> None:
    """List the steps of RUN that are in doubt, or say what became of the one with that ID.

    A step is in doubt when the journal says that it was about to happen, and not how it ended: the
    process died in between, or the step was cancelled while it was under way. ID is the record that
    says so. A run that goes on goes on with the verdict at once, any other at `perdure resume RUN`.
    """
    if intent is None:
        if happened is not None or refuted:
            raise UsageError("which step? `perdure doubt RUN` lists them: give the ID of one.")
        with view_of(run) as view:
            _list(view, as_json)
    elif (happened is not None) == refuted:
        raise UsageError(f"say one of `--happened JSON` and `--did-not-happen` of step {intent}.")
    else:
        _judge(run, intent, happened, as_json)


def _list(view: View, as_json: bool) -> None:
    name = "" if view.directory is None else name_of(view.directory)
    found = view.doubts()
    if as_json:
        write_answer({"run": name, "doubts": [_form(view, doubt) for doubt in found]})
        return
    for doubt in found:
        who = view.actor(doubt.actor).address
        say(fitted(f"{paint(str(doubt.intent), bold=True)}  {who}  {view.call(doubt.intent)}"))
        held = f", {count(doubt.reserved, 'token')} reserved" if doubt.reserved else ""
        of = f"for message {doubt.message} {called(view.message(doubt.message))}"
        say(fitted(paint(f"    {doubt.effect}{held}, {of}", dim=True)))
    if found:
        note(f"\n{count(len(found), 'step')} in doubt. Look there, then `perdure doubt {name} ID`")
        note("with `--happened JSON` (its result) or `--did-not-happen`.")
    else:
        note(f"nothing of {name} is in doubt.")


def _form(view: View, doubt: Doubt) -> dict[str, Any]:
    return {
        "id": doubt.intent,
        "actor": view.actor(doubt.actor).address,
        "message": str(MessageId(*doubt.message)),
        "said": to_json(view.message(doubt.message)),
        "step": doubt.key,
        "call": view.call(doubt.intent),
        "effect": doubt.effect,
        "reserved": doubt.reserved,
    }


def _judge(run: str, intent: int, happened: str | None, as_json: bool) -> None:
    from perdure.runtime import verdicts
    from perdure.runtime.ingress import through_the_door

    directory = find_run(run)
    with View(directory) as view:
        call = view.call(intent)
    if happened is None:
        verdict, fields = "did-not-happen", {"step": intent}
        is_live, _ = through_the_door(
            directory, verdict, fields, lambda: verdicts.did_not_happen(directory, intent)
        )
        text = f"{call} did not happen: it is begun anew"
    else:
        form = _read(happened)
        verdict, fields = "happened", {"step": intent, "result": form}
        is_live, _ = through_the_door(
            directory, verdict, fields, lambda: verdicts.happened(directory, intent, form)
        )
        text = f"{call} happened, and came to {happened}"
    name = name_of(directory)
    if as_json:
        write_answer({"run": name, "id": intent, "verdict": verdict})
    else:
        say(text)
        if not is_live:
            say(labelled("next", f"perdure resume {name}"))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"--happened {text}: this is no JSON ({error}). A text needs its quotes: "
            "--happened '\"paid\"'."
        ) from None
