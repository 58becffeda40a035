"""The tree of a run that goes on, drawn anew as it changes; or a line of JSON for each change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.cli.branches import node_form, tree_lines
from perdure.cli.options import name_of
from perdure.cli.say import fitted, is_terminal, labelled, note, say, write_answer
from perdure.cli.summary import status_line
from perdure.cli.words import clock, count
from perdure.errors import UsageError
from perdure.ledger.presence import is_owned
from perdure.runtime.family import Node
from perdure.runtime.view import View

if TYPE_CHECKING:
    from rich.text import Text

LOOK_SECONDS = 0.25  # between two looks at the ledger
REST_SHARE = 4  # a look that takes long is followed by a rest so many times as long


class Scene(NamedTuple):
    """The tree as of a record."""

    seq: int
    time_ns: int
    roots: list[Node]


def watch(view: View, directory: Path, *, whole: bool, as_json: bool) -> None:
    """Show the tree until the run's process ends; raises `UsageError` where it cannot be drawn."""
    if as_json:
        for scene in _scenes(view, directory):
            form = [node_form(root, scene.time_ns) for root in scene.roots]
            about = {"run": name_of(directory), "status": view.status.status}
            write_answer({**about, "records": scene.seq, "tree": form})
        return
    if not is_terminal():
        raise UsageError(
            "--watch draws over what it has drawn, and this is no terminal. With --json it writes "
            "a line for each change; without --watch, the tree as it is."
        )
    _draw(view, directory, whole)


def _draw(view: View, directory: Path, whole: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    if not is_owned(directory):
        note(f"no process is at {name_of(directory)}: this is how it stands.")
    console = Console(highlight=False)
    last: list[str] = []
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for scene in _scenes(view, directory):
            last = _lines(view, scene, whole)
            live.update(_text(last), refresh=True)
    for line in last[:-1]:
        say(fitted(line))
    say(status_line(view))


def _lines(view: View, scene: Scene, whole: bool) -> list[str]:
    began = view.run.time
    about = f"{count(scene.seq, 'record')}   {clock(scene.time_ns - began)}   {view.status.status}"
    return [*tree_lines(scene.roots, scene.time_ns, whole=whole), "", labelled("watch", about)]


def _text(lines: list[str]) -> Text:
    from rich.text import Text

    return Text.from_ansi("\n".join(fitted(line) for line in lines), no_wrap=True)


def _scenes(view: View, directory: Path) -> Iterator[Scene]:
    """The tree, and again when it has changed, until no process is at the run.

    Each look is some short transactions: none is open while it rests, so none pins pages.
    """
    shown: Any = None
    while True:
        is_live = is_owned(directory)  # before the look: what the last process wrote is in it
        began = time.monotonic()
        head = view.head
        if head.seq != shown:
            shown = head.seq
            yield Scene(head.seq, head.time_ns, view.tree())
        if not is_live:
            return
        time.sleep(max(LOOK_SECONDS, REST_SHARE * (time.monotonic() - began)))
