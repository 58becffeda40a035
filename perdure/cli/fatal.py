"""The last word of a process that LMDB ends: a damaged page of a ledger too large to be walked.

LMDB trusts what pages say of themselves. Small files are checked page by page before it sees them;
of a large one, a bad page may end the process by a signal in the middle of a read.
"""

from __future__ import annotations

import os
import signal

EXIT_DAMAGED = 3
SIGNALS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)

_kept: list[object] = []  # what C calls must not be collected


def speak_last() -> None:
    """Have such a signal end this process with a sentence and exit code 3."""
    import ctypes

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(_last_word)
    _kept.append(handler)
    libc = ctypes.CDLL(None)
    for number in SIGNALS:
        libc.signal(int(number), handler)


def _last_word(number: int) -> None:
    name = signal.Signals(number).name
    text = (
        f"perdure: {name} ended this, as it does when a page of a ledger is damaged. "
        "`perdure verify RUN` checks each page; restore a backup to go on.\n"
    )
    os.write(2, text.encode())
    os._exit(EXIT_DAMAGED)
