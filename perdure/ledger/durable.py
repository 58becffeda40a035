"""What a power cut leaves: whole files, names of new ones, of directories that were made."""

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


def write_whole(target: Path, data: bytes, top: Path) -> None:
    """Write a file that appears whole or not at all, and survives a power cut once it is there.

    So do the names of the directories that it is in, up to `top`; those are made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)
    settle(target, top)
