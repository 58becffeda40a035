"""`perdure ps RUN`: the actors of a run as a list, and what each does right now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from perdure.actors.census import HOLDS
from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import columns, fitted, note, paint, say, write_answer
from perdure.cli.words import clipped, count
from perdure.ledger.presence import is_owned, owner_pid
from perdure.limits import DOOR_ANSWER_SECONDS_MAX, KERNEL_STALL_SECONDS_MAX
from perdure.runtime.home import find_run
from perdure.runtime.ingress import census
from perdure.runtime.processes import ORDERS, Process, ordered, processes
from perdure.runtime.view import View

ROWS_DEFAULT = 40
REASON_CHARS_MAX = 60
HEADS = ("address", "class", "state", "life", "inbox", "turns", "restarts", "tokens", "now")
COLOURS = {"running": None, "waiting": None, "ended": None, "stopped": None}


@click.command("ps")
@run_argument
@click.option("--sort", "order", type=click.Choice(ORDERS), default="busy", help="By what.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=ROWS_DEFAULT,
    metavar="N",
    help=f"Show so many, at most: {ROWS_DEFAULT}.",
)
@click.option("--all", "whole", is_flag=True, help="Also who has ended.")
@json_option
def command(run: str, order: str, limit: int, whole: bool, as_json: bool) -> None:
    """List the actors of RUN: state, incarnation, inbox, turns, restarts, tokens.

    Of a run that goes on also what each is doing now: its handler, the line that it is at, and for
    how long. Who is at work comes first, the longest one in front; --sort changes that.
    """
    directory = find_run(run)
    is_live, now = is_owned(directory), census(directory)
    with View(directory) as view:
        found = processes(view.store, now)
        status = view.status.status
    there = [each for each in found if whole or each.state != "ended"]
    shown = ordered(there, order)[:limit]
    if as_json:
        about = {"run": name_of(directory), "status": status, "live": is_live}
        forms = [_form(each) for each in shown]
        seen = (
            None if now is None else {key: now[key] for key in ("pid", "limit", "ready", "stuck")}
        )
        write_answer({**about, "owner": seen, "actors": len(there), "processes": forms})
        return
    lines = columns([HEADS, *map(_row, shown)])
    say(fitted(paint(lines[0], dim=True)))
    for line in lines[1:]:
        say(fitted(line))
    for text in _notes(directory, there, len(shown), now, status, is_live=is_live):
        note(text)


def _row(each: Process) -> tuple[str, ...]:
    numbers = (each.incarnation, each.inbox, each.turns, each.restarts, each.tokens)
    state = paint(each.state, COLOURS.get(each.state, "red"))
    return (each.address, each.class_name, state, *(f"{n:,}" for n in numbers), _now(each))


def _now(each: Process) -> str:
    """What an actor does now; of one that is not well, why."""
    turn = each.turn
    if turn is None:
        is_down = each.state not in ("running", "waiting", "starting", "born")
        return clipped(each.reason, REASON_CHARS_MAX) if is_down else ""
    where = f" {Path(turn['file']).name}:{turn['line']}" if turn["file"] else ""
    text = f"{turn['handler']}{where}  {turn['seconds']:.1f} s"
    is_plain = turn["does"] in ("running", "waiting")
    return text if is_plain else f"{text}  {paint(turn['does'], 'red')}"


def _notes(
    directory: Path,
    there: list[Process],
    shown: int,
    now: dict[str, Any] | None,
    status: str,
    *,
    is_live: bool,
) -> list[str]:
    """What there is to say beside the list."""
    left = len(there) - shown
    notes = [f"… and {left:,} more: --limit {len(there)}"] if left else []
    if not is_live:
        notes.append(f"no process is at {name_of(directory)} ({status}): this is its ledger")
    elif now is None:
        notes.append(
            f"process {owner_pid(directory)} has not answered within "
            f"{DOOR_ANSWER_SECONDS_MAX:g} s: this is the ledger, without what each does now"
        )
    elif any(turn["does"] == HOLDS for turn in now["turns"]):
        notes.append(
            "a handler holds the kernel: nothing else goes on. After "
            f"{KERNEL_STALL_SECONDS_MAX:g} s it ends the process"
        )
    else:
        turns = count(now["in_flight"], "turn")
        notes.append(f"{turns} in flight, {now['limit']} at once; {now['ready']:,} ready")
    return notes


def _form(each: Process) -> dict[str, Any]:
    form = each._asdict()
    form["class"] = form.pop("class_name")
    turn = form.pop("turn")
    form["now"] = None if turn is None else {k: v for k, v in turn.items() if k not in OWN}
    return form


OWN = ("id", "address")
"""What a process says of itself already."""
