"""`perdure backup RUN TO`: a copy of a run that one can go on with."""

from __future__ import annotations

from pathlib import Path

import click

from perdure.cli.options import json_option, name_of, run_argument
from perdure.cli.say import labelled, note, say, write_answer
from perdure.cli.words import count, moment, size
from perdure.cli.working import working
from perdure.errors import UsageError
from perdure.runtime.backup import backup
from perdure.runtime.document import shown
from perdure.runtime.home import find_run


@click.command("backup")
@run_argument
@click.argument("to", metavar="TO")
@json_option
def command(run: str, to: str, as_json: bool) -> None:
    """Make in TO a run that is RUN as it is now, down to its artifacts. RUN may be going on.

    The copy is checked as by `perdure verify`, and has the name TO only then. It is the run itself,
    with the same id: go on with one of the two only, `perdure resume TO` when RUN is lost.
    """
    if not to:
        raise UsageError("TO is empty. Name a directory that is not there yet.")
    directory, target = find_run(run), Path(to)
    with working(name_of(directory)) as tick:
        made = backup(directory, target, tick)
    if as_json:
        form = {"run": name_of(directory), "backup": str(target), "run_id": made.run_id.hex()}
        figures = {"records": made.head.seq, "hash": made.head.hash.hex(), "ok": True}
        figures |= {"bytes": made.ledger_bytes, "artifacts": made.artifacts}
        write_answer({**form, **figures, "posts_left_out": made.posts})
        return
    of = f"{name_of(directory)} as of record {made.head.seq:,}, {moment(made.head.time_ns)}"
    say(labelled("backup", f"{shown(target)}   of {of}"))
    rest = f", {count(made.artifacts, 'artifact')}" if made.artifacts else ""
    say(labelled("checked", f"{count(made.head.seq, 'record')}, {size(made.ledger_bytes)}{rest}"))
    if made.posts:
        note(f"{count(made.posts, 'post')} that the run had not taken yet: not in the backup.")
    say(labelled("next", f"perdure resume {name_of(target)}, if {name_of(directory)} is lost"))
