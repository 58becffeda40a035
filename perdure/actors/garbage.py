"""How often Python looks for garbage cycles while a run lasts.

A turn makes about twenty objects that die when it ends, without a cycle among them. At Python's
default every 700 new objects have it look through the youngest, which costs a tenth of all turns.
"""

from __future__ import annotations

import gc
from threading import Lock

from perdure.limits import GARBAGE_OBJECTS_MIN


class Rarer:
    """Raises the threshold of the first generation while runs last in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs = 0
        self._before = gc.get_threshold()

    def begin(self) -> None:
        """A run begins; a larger threshold of the user's own, or none, stays."""
        with self._lock:
            self._runs += 1
            threshold = gc.get_threshold()
            if self._runs == 1:
                self._before = threshold
            if 0 < threshold[0] < GARBAGE_OBJECTS_MIN:
                gc.set_threshold(GARBAGE_OBJECTS_MIN, *threshold[1:])

    def end(self) -> None:
        """A run is over; the last one leaves things as the first found them."""
        with self._lock:
            self._runs -= 1
            if not self._runs and gc.get_threshold()[0] == GARBAGE_OBJECTS_MIN:
                gc.set_threshold(*self._before)


collections = Rarer()
