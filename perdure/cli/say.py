"""What the command line writes: lines for people, JSON for programs, complaints for both."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

FORMAT = 1
"""Of all JSON that verbs write."""

_STYLES = re.compile(r"(\x1b\[[0-9;]*m)")


def say(line: str = "") -> None:
    """Write a line for people to standard output; colours only where they show."""
    click.echo(line, color=_colour())


def complain(text: str) -> None:
    """Write a sentence for people to standard error."""
    click.echo(f"{paint('perdure:', 'red', bold=True)} {text}", err=True, color=_colour())


def note(text: str) -> None:
    """Write a remark for people to standard error."""
    click.echo(paint(text, dim=True), err=True, color=_colour())


def write_json(thing: Mapping[str, Any]) -> None:
    """Write one JSON object as a line."""
    click.echo(json.dumps(thing, ensure_ascii=False, separators=(", ", ": ")))


def write_answer(answer: Mapping[str, Any]) -> None:
    """Write what a verb answers, as one JSON object."""
    write_json({"format": FORMAT, **answer})


def _colour() -> bool | None:
    """False: never; None: if it goes to a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def paint(text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
    """`text` in a style; it has none where it is not written to a terminal."""
    return click.style(text, fg=colour, bold=bold or None, dim=dim or None)


def fitted(line: str) -> str:
    """A line cut to the width of the terminal, if it is written to one."""
    if not is_terminal():
        return line
    room = shutil.get_terminal_size().columns
    if width(line) <= room:
        return line
    kept, left = [], room - 1
    for part in _STYLES.split(line):
        is_style = part.startswith("\x1b")
        kept.append(part if is_style else part[:left])
        left -= 0 if is_style else min(len(part), left)
    return "".join(kept) + "…"


def wrapped(line: str, indent: int = 0) -> list[str]:
    """A line that must be read whole, as lines that fit the terminal; as it is anywhere else."""
    if not is_terminal():
        return [line]
    room = shutil.get_terminal_size().columns
    lines, left = [], " " * min(indent, room // 4)
    current, *words = line.split(" ")
    for word in words:
        longer = f"{current} {word}"
        if width(longer) > room and current.strip():
            lines.append(current.rstrip())
            longer = left + word
        current = longer
    return [*lines, current]


def width(text: str) -> int:
    """How many columns `text` takes."""
    return len(click.unstyle(text))


def columns(rows: Sequence[Sequence[str]], gap: int = 3, indent: int = 2) -> list[str]:
    """The rows as lines, each column as wide as its widest cell.

    >>> columns([["a", "1"], ["bb", "2"]])
    ['  a    1', '  bb   2']
    """
    count = max(map(len, rows), default=0)
    widths = [max((width(row[i]) for row in rows if i < len(row)), default=0) for i in range(count)]
    lines = []
    for row in rows:
        cells = [cell + " " * (widths[i] - width(cell)) for i, cell in enumerate(row)]
        lines.append((" " * indent + (" " * gap).join(cells)).rstrip())
    return lines


def labelled(label: str, text: str, indent: int = 0) -> str:
    """A line that begins with what it is about.

    >>> import click
    >>> click.unstyle(labelled("run", "survey-1"))
    'run       survey-1'
    """
    columns = 11 if indent else 10
    return f"{' ' * indent}{paint(f'{label:<{columns}}', dim=True)}{text}"


def is_terminal() -> bool:
    """Whether standard output is a terminal that can be written over."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
