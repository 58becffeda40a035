"""`perdure new DIR`: a small project to start from."""

from __future__ import annotations

import os
import shlex

import click

from perdure.cli.options import json_option
from perdure.cli.say import labelled, say, write_answer
from perdure.errors import UsageError
from perdure.runtime.document import shown
from perdure.runtime.new import write_project


@click.command("new")
@click.argument("directory", metavar="DIR")
@json_option
def command(directory: str, as_json: bool) -> None:
    """Write a small project to DIR: a scenario, an actor, a test. It runs as written."""
    if not directory:
        raise UsageError("DIR is empty. Name a directory; `.` is this one.")
    written = write_project(directory)
    if as_json:
        write_answer({"directory": os.path.abspath(directory), "files": [str(p) for p in written]})
        return
    for path in written:
        say(labelled("wrote", shown(path.absolute())))
    say(labelled("next", f"cd {shlex.quote(directory)} && perdure run ."))
