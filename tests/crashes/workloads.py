"""What is recorded on its way to a disk: how it is driven, and what must hold at any cut."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

MODULES = {
    "shelf": "shelf",
    "relaxed": "relaxing",
    "fork": "forking",
    "compact": "compacting",
    "vault": "vault",
    "hasty": "hasty",
}


class Workload(NamedTuple):
    """Something that is done on a disk, and can be taken up where a power cut has left it.

    `scenario` makes what it needs besides the disk. `drive` does it, or what is left of it, and
    returns its result. `check` is given the disk after a cut, a whole one with the same ledgers,
    and what was let out before the cut. `end` checks a disk on which all was done, and says what
    must be the same whatever was before.
    """

    scenario: Callable[[Path], Path]
    drive: Callable[[Path, Path], dict[str, Any]]
    check: Callable[[Path, Path, list[str]], None]
    end: Callable[[Path], object]


def workload(name: str) -> Workload:
    """The workload of that name: a module beside this one, with a function for each part."""
    module = import_module(f"tests.crashes.{MODULES[name]}")
    return Workload(module.scenario, module.drive, module.check, module.end)
