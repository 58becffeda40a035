"""What is recorded on its way to a disk: how it is driven, and what must hold at any cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.crashes import forking, shelf, vault


class Workload(NamedTuple):
    """Something that is done on a disk, and can be taken up where a power cut has left it.

    `scenario` makes what it needs besides the disk. `drive` does it, or what is left of it, and
    returns its result. `check` is given the disk after a cut, a whole one with the same ledgers,
    and what was let out before the cut.
    """

    scenario: Callable[[Path], Path]
    drive: Callable[[Path, Path], dict[str, Any]]
    check: Callable[[Path, Path, list[str]], None]
    end: Callable[[Path], object]


WORKLOADS = {
    "shelf": Workload(shelf.shelf, shelf.drive, shelf.check, shelf.end),
    "fork": Workload(forking.scenario, forking.drive, forking.check, forking.end),
    "vault": Workload(vault.vault, vault.drive, vault.check, vault.end),
}
