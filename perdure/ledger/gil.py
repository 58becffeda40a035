"""Short waits for the interpreter lock while a commit writes.

LMDB's binding gives the interpreter lock up around each single put. A thread that computes then
holds it for a whole switch interval (5 ms by default) as often as it wins the race: a group of
3,000 rows took half a second. With a shorter interval during the commit it takes about 30 ms.
"""

from __future__ import annotations

import sys
from threading import Lock
from types import TracebackType

from perdure.limits import COMMIT_SWITCH_SECONDS


class ShortWaits:
    """A context in which threads take turns faster; the interval from before is put back after it.

    The interval belongs to the whole process, so contexts that overlap share one saved value.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._before = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(self._before, COMMIT_SWITCH_SECONDS))
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                sys.setswitchinterval(self._before)


short_waits = ShortWaits()
