"""`perdure new DIR`: a small project that runs, and that passes its own test, as written."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from perdure.errors import UsageError
from perdure.runtime.document import shown

_FILES = ("README.md", "actors.py", "scenario.toml", "tests/test_project.py")
_TEMPLATE_NAME = "myproject"  # what the project in template/ is called


def write_project(directory: str | Path) -> list[Path]:
    """Write a new project to `directory`, which may exist and hold other files; what was written.

    The scenario is named after the directory. Raises `UsageError` that names what is there when a
    file of the project exists already: nothing is written then.
    """
    directory = Path(directory)
    there = [name for name in _FILES if (directory / name).exists()]
    if there:
        raise UsageError(
            f"{shown(directory)} has {', '.join(there)} already, and nothing is overwritten. "
            "Choose another directory."
        )
    name = _scenario_name(directory)
    written = []
    try:
        for each in _FILES:
            path = directory / each
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(_template(each).replace(_TEMPLATE_NAME, name))
    except OSError as error:
        for path in written:  # so that the same command works once there is room
            path.unlink(missing_ok=True)
        where = error.filename or shown(directory)
        raise UsageError(f"{where} cannot be written: {error.strerror or error}.") from None
    return written


def _template(name: str) -> str:
    file: Traversable = files("perdure.runtime").joinpath("template")
    return file.joinpath(*name.split("/")).read_text(encoding="utf-8")


def _scenario_name(directory: Path) -> str:
    """The directory's name, with what addresses and commands are better without made a dash."""
    return re.sub(r"[^\w.]+", "-", directory.absolute().name).strip("-._") or "project"
