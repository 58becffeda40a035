"""`perdure fork RUN --at SEQ|MARK --to DIR`: a new run of the first records of another."""

from __future__ import annotations

from pathlib import Path

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import labelled, say, write_answer
from perdure.runtime.document import shown
from perdure.runtime.fork import fork
from perdure.runtime.home import find_run


@click.command("fork")
@run_argument
@click.option("--at", required=True, metavar="POINT", help="The last record to share: SEQ or MARK.")
@click.option("--to", required=True, metavar="DIR", help="Where the fork's ledger will be.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="Change a setting.")
@click.option("--code", metavar="PATH", help="Go on with this scenario, or this Python file.")
@click.option("--live", is_flag=True, help="Let it act at once: else calls wait, but for reading.")
@json_option
def command(
    run: str,
    at: str,
    to: str,
    settings: tuple[str, ...],
    code: str | None,
    live: bool,
    as_json: bool,
) -> None:
    """Make in DIR a run that has the records of RUN up to POINT, and goes its own way from there.

    RUN is only read, and may be going on. The fork is held: tools that read run, any other call
    waits until `perdure resume DIR --live`. Settings reach what is started from now on.
    """
    directory = find_run(run)
    target = Path(to)
    made = fork(directory, at, target, settings=settings, code=code, live=live)
    name = name_of(target)
    if as_json:
        form = {"run": name, "ledger": str(target), "run_id": made.run_id.hex(), "live": live}
        write_answer({**form, "parent": made.parent.hex(), "at": made.at, "records": made.head})
        return
    say(labelled("fork", f"{name}   of {name_of(directory)} at record {made.at:,}"))
    say(labelled("ledger", shown(target)))
    if not live:
        say(labelled("held", "only tools that read run, until it is resumed with --live"))
    way = f"perdure resume {name}"
    say(labelled("next", way if live else f"{way} · {way} --live"))
