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


class Onlooker:
    """The right to read a ledger that we may not write to: nobody becomes its owner meanwhile.

    Who may not write to LMDB's table of readers cannot say that it reads, and a writer would change
    pages under it. Raises `LedgerInUse` when there is one. Where nobody ever wrote, nothing is
    locked.
    """

    def __init__(self, directory: Path) -> None:
        self._fd = -1
        try:
            self._fd = os.open(directory / "owner", os.O_RDONLY)
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            pass
        except BlockingIOError:
            self.release()
            raise LedgerInUse(
                f"a process is at {directory}, and you may not write there: who cannot say that it "
                "reads may not read beside it. Get leave to write, look as its user, or have that "
                "user make a copy with `perdure backup`."
            ) from None
        except OSError as error:
            self.release()
            raise LedgerError(
                f"the ledger {directory} cannot be read: {error}. Mend that and try again."
            ) from error

    def release(self) -> None:
        """Let others write; a second release does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def may_register(folder: Path) -> bool:
    """Whether we may write to LMDB's table of readers, beside the ledger in `folder`."""
    table = folder / "lock.mdb"
    return os.access(table if table.exists() else folder, os.W_OK, effective_ids=True)


def hold_off(directory: Path) -> Owner | Onlooker:
    """Keep every writer away, as the owner or, where we may not write, as an onlooker."""
    if os.access(directory, os.W_OK, effective_ids=True):
        return Owner(directory)
    return Onlooker(directory)


def _forget_all() -> None:
    # A fork shares the open file, and with it the lock: kept, it would outlive the owner.
    for owner in list(_held):
        owner.release()


os.register_at_fork(after_in_child=_forget_all)
