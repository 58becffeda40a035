"""`perdure reload RUN [ADDRESS…]`: have a live run go on with its code as it is now."""

from __future__ import annotations

from typing import Any

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import complain, labelled, say, write_answer
from perdure.cli.words import clipped, count
from perdure.errors import UsageError
from perdure.limits import RELOAD_WAIT_SECONDS
from perdure.runtime.home import find_run

EXIT_KEPT = 1
KEPT_SHOWN_MAX = 20


@click.command("reload")
@run_argument
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]…")
@json_option
def command(run: str, addresses: tuple[str, ...], as_json: bool) -> int:
    """Have the live RUN load its code folder again: from their next message on, actors run it.

    Nobody is restarted: inboxes, ids and incarnations stay. With ADDRESS, only that actor and all
    below it change. Code that does not load changes nothing (exit 2). Exits 1 if an actor cannot
    be loaded with the new code: it is named, and goes on with the code that it had.
    """
    from perdure.ledger.presence import is_owned
    from perdure.runtime.ingress import outcome, post

    directory = find_run(run)
    name = name_of(directory)
    if not is_owned(directory):
        raise UsageError(f"no process is at {name}: `perdure resume {name}` loads the code anew.")
    posted = post(directory, "reload", {"addresses": list(addresses)})
    done = outcome(directory, posted, timeout=RELOAD_WAIT_SECONDS)
    if as_json:
        write_answer({"run": name, **done})
    else:
        _tell(done)
    return EXIT_KEPT if done["kept"] else 0


def _tell(done: dict[str, Any]) -> None:
    say(labelled("reload", f"code {done['code'][:12]}   record {done['record']:,}"))
    for name, before, now in done["versions"]:
        if not now:
            complain(f"{name} is not in the new code: its actors keep the code they had")
        elif before != now:
            what = f"version {before} → {now}" if before else "new"
            say(labelled("class", f"{name}   {what}"))
    changed = count(done["changed"], "actor")
    later = f"   {done['under_way']:,} after the turn under way" if done["under_way"] else ""
    say(labelled("changed", f"{changed}, {done['migrated']:,} migrated{later}"))
    for address, why in list(done["kept"].items())[:KEPT_SHOWN_MAX]:
        complain(f"{address} keeps the old code: {clipped(why)}")
    if len(done["kept"]) > KEPT_SHOWN_MAX:
        complain(f"and {len(done['kept']) - KEPT_SHOWN_MAX:,} more")
    if not done["stored"]:
        complain("the code is too large for the ledger: replays need --code")
