"""Arguments and options that verbs share, and what RUN stands for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

SEQ = click.IntRange(1)
run_argument = click.argument("run", metavar="RUN")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write JSON to standard output, and nothing else."
)


def view_of(run: str) -> Any:
    """The view of the run that RUN names. Raises `UsageError`, `LedgerError`."""
    from perdure.runtime.home import find_run
    from perdure.runtime.view import View

    return View(find_run(run))


def name_of(directory: Path) -> str:
    """What to write for RUN to mean this directory: its name in the home, else its path."""
    from perdure.runtime.document import shown
    from perdure.runtime.home import home

    if os.path.abspath(directory.parent) == os.path.abspath(home()):
        return directory.name
    path = shown(directory)
    return path if "/" in path else f"./{path}"
