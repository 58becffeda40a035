"""`perdure run SCENARIO`: start a run and see it through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from perdure.actors.events import Observer
from perdure.cli.driving import drive
from perdure.cli.options import SEQ, json_option, name_of
from perdure.cli.say import labelled, say, write_json
from perdure.cli.words import at_level, count
from perdure.errors import UsageError
from perdure.ledger.values import Codec
from perdure.runtime.document import shown
from perdure.runtime.home import new_run_dir
from perdure.runtime.program import Program
from perdure.runtime.run import Run


@click.command("run")
@click.argument("scenario")
@click.option("--ledger", metavar="DIR", help="Use exactly this directory for the ledger.")
@click.option("--seed", type=int, metavar="N", help="Fix chance; any whole number.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="Change a setting.")
@click.option("--no-wait", is_flag=True, help="End when only timers or people remain (exit 4).")
@click.option("--strict", is_flag=True, help="Exit 1 if there are dead letters.")
@click.option("--crash-at", type=SEQ, metavar="SEQ", help="Die once record SEQ is durable.")
@click.option("--crash-before", type=SEQ, metavar="SEQ", help="Die before record SEQ is durable.")
@json_option
def command(
    scenario: str,
    ledger: str | None,
    seed: int | None,
    settings: tuple[str, ...],
    no_wait: bool,
    strict: bool,
    crash_at: int | None,
    crash_before: int | None,
    as_json: bool,
) -> int:
    """Start a run of SCENARIO, a folder with a scenario.toml, and see it through.

    \b
    Exits 0 when it finished, 1 when it failed, 2 for what cannot be run,
    3 for a damaged ledger, 4 when it is not finished and `perdure resume` goes on.
    """
    if ledger == "":
        raise UsageError("--ledger is empty. Give it a directory, or leave it out.")
    if crash_at is not None and crash_before is not None:
        raise UsageError("--crash-at and --crash-before exclude each other. Give one of them.")
    program = Program.of(scenario, settings)
    program.posts(Codec(program.names))  # a wrong first message is found before a ledger is made
    directory = Path(ledger) if ledger is not None else new_run_dir(program.name)

    def begin(observer: Observer) -> Run:
        run = Run(
            program,
            directory,
            seed=seed,
            observer=observer,
            crash_at=crash_at,
            crash_before=crash_before,
        )
        _announce(run, program, directory, settings, as_json)
        return run

    return drive(begin, directory, stay=not no_wait, strict=strict, as_json=as_json)


def _announce(
    run: Run, program: Program, directory: Path, settings: tuple[str, ...], as_json: bool
) -> None:
    name, tokens, durability = name_of(directory), program.tokens, program.durability.name
    if as_json:
        form: dict[str, Any] = {"event": "run", "run": name, "ledger": str(directory)}
        form |= {"seed": run.seed, "settings": program.settings, "durability": durability}
        write_json(form)
        return
    budget = "unlimited tokens" if tokens is None else count(tokens, "token")
    say(labelled("run", f"{name}   seed {run.seed}   ledger {shown(directory)}"))
    limits = [f"{count(program.concurrency, 'turn')} at once", budget, at_level(durability)]
    say(labelled("limits", ", ".join(filter(None, limits))))
    if settings:
        say(labelled("settings", "   ".join(settings)))
