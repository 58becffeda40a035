"""Names that a power cut leaves: of a new file, a renamed one, a directory that was made."""

from __future__ import annotations

import os
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def settle(path: Path, top: Path | None = None) -> None:
    """Make the name of `path` durable, and those of the directories that it is in, up to `top`.

    Also names that were there: a process that made them may have died before it could do this.
    """
    for directory in path.absolute().parents:
        try:
            sync_directory(directory)
        except PermissionError:  # who may not list it has not made anything in it either
            pass
        if directory == top or os.path.ismount(directory):
            return
