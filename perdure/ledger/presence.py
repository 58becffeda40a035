"""Is somebody at a ledger now? Told without keeping its lock."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def owner_pid(directory: str | Path) -> str:
    """The id of the process that owns the ledger in this run directory, or owned it last."""
    try:
        return (Path(directory) / "owner").read_text("ascii", "replace").strip() or "?"
    except OSError:
        return "?"


def is_owned(directory: str | Path) -> bool:
    """Whether a living process owns the ledger in this run directory.

    >>> is_owned("/nowhere")
    False
    """
    try:
        fd = os.open(Path(directory) / "owner", os.O_RDONLY)
    except OSError:
        return False
    try:
        pid = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
        if not pid.isdecimal() or (not Path("/proc", pid).exists() and Path("/proc/self").exists()):
            return False  # an owner that starts right now must not find us at its lock
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
