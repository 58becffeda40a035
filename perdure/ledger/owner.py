"""The one process that may write a ledger: a lock file, held as long as it writes."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from weakref import WeakSet

from perdure.errors import LedgerError, LedgerInUse

_held: WeakSet[Owner] = WeakSet()


class Owner:
    """The right to write the ledger in a directory: `flock` on its file `owner`, our pid inside.

    The kernel drops the lock with the process, however it dies. Raises `LedgerInUse`, naming the
    process that has it. A forked child does not inherit it.
    """

    def __init__(self, directory: Path) -> None:
        self._fd = -1
        try:
            self._fd = os.open(directory / "owner", os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Always as long and never cut short: a full disk must not keep us from the ledger.
            os.pwrite(self._fd, f"{os.getpid():<19}\n".encode(), 0)
        except BlockingIOError:
            pid = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise LedgerInUse(
                f"the ledger {directory} is in use by process {pid}. "
                "Wait until it ends, or stop it, and try again."
            ) from None
        except OSError as error:
            self.release()
            raise LedgerError(
                f"the ledger {directory} cannot be locked: {error}. Mend that and try again."
            ) from error
        _held.add(self)

    def release(self) -> None:
        """Give the lock back; a second release does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _forget_all() -> None:
    # A fork shares the open file, and with it the lock: kept, it would outlive the owner.
    for owner in list(_held):
        owner.release()


os.register_at_fork(after_in_child=_forget_all)
