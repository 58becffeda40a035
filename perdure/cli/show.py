"""`perdure show RUN`: what a run is and how it stands."""

from __future__ import annotations

import click

from perdure.cli.options import json_option, name_of, run_argument, view_of
from perdure.cli.say import fitted, labelled, say, write_answer
from perdure.cli.summary import summary_form, summary_lines
from perdure.cli.words import clock, count, moment, written
from perdure.runtime.document import shown
from perdure.runtime.view import View


@click.command("show")
@run_argument
@json_option
def command(run: str, as_json: bool) -> None:
    """Show what RUN is: scenario, goal, seed, settings; and how it stands: tree, figures."""
    with view_of(run) as view:
        if as_json:
            write_answer({**_header(view), **summary_form(view, view.directory)})
            return
        for line in (*_lines(view), *summary_lines(view, view.directory)):
            say(fitted(line))


def _lines(view: View) -> list[str]:
    header, head = view.run, view.head
    directory = view.directory
    name = "" if directory is None else f"{name_of(directory)}   ledger {shown(directory)}"
    lasted = clock(head.time_ns - header.time)
    lines = [
        labelled("run", name),
        labelled("id", header.run_id.hex()),
        labelled("scenario", f"{header.scenario}   {header.directory}"),
        labelled("goal", header.goal),
        labelled("began", f"{moment(header.time)}   {count(head.seq, 'record')} over {lasted}"),
        labelled("seed", str(header.seed)),
    ]
    fork = view.lineage.fork
    if fork is not None:
        at, parent = fork.pasts[-1]
        state = "held: it may only read" if fork.held else "live"
        lines.append(labelled("fork", f"of {parent.hex()} at record {at:,}   {state}"))
        new = f"{count(head.seq - at, 'record')} after it, in which calls are new"
        lines.append(labelled("", new))
    if header.settings:
        pairs = (f"{key}={written(value)}" for key, value in header.settings.items())
        lines.append(labelled("settings", "   ".join(pairs)))
    return [line for line in lines if line.strip()]


def _fork(view: View) -> dict[str, object]:
    """Of which run it is a fork, and where; nothing for any other run."""
    fork = view.lineage.fork
    if fork is None:
        return {}
    pasts = [{"run_id": id.hex(), "last": last} for last, id in fork.pasts]
    return {"fork": {"at": fork.pasts[-1][0], "held": fork.held, "parents": pasts}}


def _header(view: View) -> dict[str, object]:
    header = view.run
    return {
        "run_id": header.run_id.hex(),
        "scenario": header.scenario,
        "goal": header.goal,
        "seed": header.seed,
        "settings": dict(header.settings),
        **_fork(view),
        "began": moment(header.time),
        "policy": header.policy,
        "concurrency": header.concurrency,
    }
