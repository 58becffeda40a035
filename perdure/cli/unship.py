"""`perdure unship URL TO`: a run is made again from what was shipped of it."""

from __future__ import annotations

from pathlib import Path

import click

from perdure.cli.options import json_option, name_of
from perdure.cli.say import complain, labelled, say, write_answer
from perdure.cli.words import count, moment
from perdure.cli.working import working
from perdure.errors import UsageError
from perdure.runtime.document import shown
from perdure.runtime.unshipping import Unshipped, unship


@click.command("unship")
@click.argument("url", metavar="URL")
@click.argument("to", metavar="TO")
@json_option
def command(url: str, to: str, as_json: bool) -> None:
    """Make in TO the run that `perdure ship` has a copy of at URL.

    It is the run itself as of the last record that got there; what came later is lost. The tables
    are folded from the journal, and all is checked as by `perdure verify` before it is called TO.
    """
    if not to:
        raise UsageError("TO is empty. Name a directory that is not there yet.")
    target = Path(to)
    with working(url) as tick:
        made = unship(url, target, tick)
    manifest = made.manifest
    name = name_of(target)
    if as_json:
        about = {"run": name, "ledger": str(target), "url": url, "run_id": manifest.run_id}
        last = {"records": manifest.records, "hash": manifest.hash, "time_ns": manifest.time_ns}
        last |= {"shipped_ns": manifest.wall_ns, "segments": manifest.segments}
        write_answer({**about, **last, "artifacts": made.artifacts, "scenario": made.scenario})
        return
    when = moment(manifest.time_ns)
    say(labelled("run", f"{shown(target)}   {manifest.scenario}, {manifest.run_id}"))
    say(labelled("last", f"record {manifest.records:,}, {when}: what came later is lost"))
    rest = f", {count(made.artifacts, 'artifact')}" if made.artifacts else ""
    say(labelled("checked", f"{count(manifest.records, 'record')}{rest}"))
    _tell_scenario(made, target)
    say(labelled("next", f"perdure resume {name}"))


def _tell_scenario(made: Unshipped, target: Path) -> None:
    """Where its code will come from, if not from where it was."""
    if not made.scenario or Path(made.scenario).exists():
        return
    if made.kept:
        kept = shown(target / "scenario")
        say(labelled("scenario", f"{kept}, from the ledger: {made.scenario} is not here"))
    else:
        complain(f"its scenario {made.scenario} is not here: put it there before you resume it.")
