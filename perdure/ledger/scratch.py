"""Directories that are whole or not there: built under a hidden name, renamed when durable.

The lock on such a directory is its process's life. What a killed one left is removed by the next
process that builds under the same name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from perdure.errors import LedgerError, UsageError
from perdure.ledger.durable import sync_directory

_SUFFIX = ".partial"


@contextmanager
def scratch(parent: Path, name: str) -> Iterator[Path]:
    """A new directory in `parent`, for as long as the block lasts; what others left goes first."""
    prefix = f".{name}."
    sweep(parent, prefix)
    try:
        path, fd = _made(parent, prefix)
    except OSError as error:
        raise LedgerError(
            f"{parent} cannot be written to: {error.strerror}. Go elsewhere."
        ) from error
    try:
        yield path
    finally:
        os.close(fd)
        shutil.rmtree(path, ignore_errors=True)


def _made(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new directory that we hold the lock on: another process may sweep it before we do."""
    while True:
        path = Path(mkdtemp(prefix=prefix, suffix=_SUFFIX, dir=parent))
        with contextlib.suppress(FileNotFoundError):
            path.chmod(0o755)
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if path.exists():
                return path, fd
            os.close(fd)


@contextmanager
def whole_directory(target: Path, what: str) -> Iterator[Path]:
    """A directory that appears as `target` when the block has ended well, durably; else not at all.

    Raises `UsageError` when there is something of that name, `LedgerError` when it cannot be made.
    """
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists already. Give {what} a directory that does not.")
    parent = target.absolute().parent
    if not parent.is_dir():
        raise UsageError(f"there is no directory {parent} to put {what} into. Make it first.")
    with scratch(parent, target.name) as partial:
        try:
            yield partial
        except LedgerError as error:  # nobody knows the hidden name, and it is gone by then
            error.args = (str(error).replace(str(partial), str(target)), *error.args[1:])
            raise
        try:
            for folder, _, _ in os.walk(partial):
                sync_directory(Path(folder))
            if target.exists():  # came meanwhile: a rename would replace an empty directory
                raise FileExistsError(f"{target} is there now")
            partial.rename(target)
            sync_directory(parent)
        except OSError as error:
            raise LedgerError(
                f"{target} cannot be made: {error}. Mend that and try again."
            ) from error


def sweep(parent: Path, prefix: str) -> None:
    """Remove the directories of that prefix whose processes are dead."""
    for left in parent.glob(f"{prefix}*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            fd = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(fd)
