"""`perdure resume RUN`: take a run up where its last process left it."""

from __future__ import annotations

from pathlib import Path

import click

from perdure.actors.events import Observer
from perdure.cli.driving import drive, exit_code
from perdure.cli.options import SEQ, json_option, name_of, run_argument
from perdure.cli.say import complain, labelled, say, write_answer, write_json
from perdure.cli.summary import summary_form, summary_lines
from perdure.cli.words import at_level
from perdure.errors import UsageError
from perdure.runtime.document import shown
from perdure.runtime.home import find_run
from perdure.runtime.origin import check_origin
from perdure.runtime.run import Run
from perdure.runtime.view import View

OVER = ("finished", "failed")


@click.command("resume")
@run_argument
@click.option("--no-wait", is_flag=True, help="End when only timers or people remain (exit 4).")
@click.option("--live", is_flag=True, help="Let a fork act from now on.")
@click.option("--strict", is_flag=True, help="Exit 1 if there are dead letters.")
@click.option("--crash-at", type=SEQ, metavar="SEQ", help="Die once record SEQ is durable.")
@click.option("--crash-before", type=SEQ, metavar="SEQ", help="Die before record SEQ is durable.")
@json_option
def command(
    run: str,
    no_wait: bool,
    live: bool,
    strict: bool,
    crash_at: int | None,
    crash_before: int | None,
    as_json: bool,
) -> int:
    """Take RUN up where its last process left it: a directory, a name like survey-1, or `last`.

    The same incarnations go on, and nothing that succeeded is done again. Exits as `perdure run`.
    """
    if crash_at is not None and crash_before is not None:
        raise UsageError("--crash-at and --crash-before exclude each other. Give one of them.")
    directory = find_run(run)
    name = name_of(directory)
    with View(directory) as view:
        head = view.head
        if not head.seq:
            raise UsageError(
                f"{name} is empty: its process ended before anything was durable. "
                f"Start it again: `perdure run SCENARIO --ledger {shown(directory)}`."
            )
        if view.status.status in OVER and not view.unreleased_count:
            return _show(view, directory, strict, as_json)

    if warning := check_origin(directory):
        complain(warning)

    def begin(observer: Observer) -> Run:
        resumed = Run.resume(
            directory, observer=observer, live=live, crash_at=crash_at, crash_before=crash_before
        )
        _announce(resumed, directory, head.seq, as_json)
        return resumed

    return drive(begin, directory, stay=not no_wait, strict=strict, as_json=as_json)


def _announce(run: Run, directory: Path, last: int, as_json: bool) -> None:
    name, durability = name_of(directory), run.program.durability.name
    if as_json:
        form = {"event": "resume", "run": name, "ledger": str(directory)}
        write_json({**form, "durability": durability})
    else:
        said = f"{name}   after record {last:,}   ledger {shown(directory)}"
        say(labelled("resume", said))
        if limits := at_level(durability):
            say(labelled("limits", limits))
    if run.code_changed:
        complain("the code has changed since this run began; it goes on with the new code.")


def _show(view: View, directory: Path, strict: bool, as_json: bool) -> int:
    """Nothing is left to do: say how it ended."""
    code = exit_code(view, strict)
    if as_json:
        write_answer({**summary_form(view, directory), "exit_code": code})
        return code
    say(labelled("resume", f"{name_of(directory)} is over; nothing is left to do"))
    for line in summary_lines(view, directory):
        say(line)
    return code
