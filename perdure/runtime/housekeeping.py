"""A run that drops its own history as it goes on: what is older than it is to keep.

Folding is work, so another process does it, one at a time; the run only takes what that found.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from perdure.actors.events import Event
from perdure.limits import HOUSEKEEPING_LOOK_SECONDS

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

NS = 1_000_000_000
_LAST_WORDS_CHARS = 300
DROP = "from perdure.runtime.compact import drop_old; import sys; drop_old(*sys.argv[1:])"
"""What the other process runs."""


class Retention(NamedTuple):
    """What a run keeps of its history: its last `turns`, or what is younger than `age_seconds`."""

    turns: int | None = None
    age_seconds: float | None = None


def keep_house(kernel: Kernel, directory: Path | None, retention: Retention | None) -> None:
    """Have the history of a run dropped while it goes on; one in memory has none to drop."""
    if directory is not None and retention is not None:
        keeper = Housekeeper(kernel, directory, retention)
        threading.Thread(target=keeper.live, name="perdure-housekeeper", daemon=True).start()


class Housekeeper:
    """Looks each second whether a run has twice the history that it is to keep, and has half go."""

    def __init__(self, kernel: Kernel, directory: Path, retention: Retention) -> None:
        self.kernel = kernel
        self.directory = directory
        self.retention = retention
        self._seq, self._time_ns = kernel.book.store.head().cut, kernel.book.now_ns()
        self._complaint = ""

    def live(self) -> None:
        """The life of its thread: it ends with the run."""
        while not self.kernel.ended.wait(HOUSEKEEPING_LOOK_SECONDS):
            book = self.kernel.book
            if self.is_due(book.durable, book.now_ns()):
                self._seq, self._time_ns = book.durable, book.now_ns()
                self._drop()

    def is_due(self, seq: int, now_ns: int) -> bool:
        """Whether enough has come since the last time."""
        turns, age = self.retention
        if turns is not None:
            return seq - self._seq >= turns
        return age is not None and now_ns - self._time_ns >= age * NS

    def _drop(self) -> None:
        turns, age = self.retention
        what = ("age", age) if turns is None else ("turns", turns)
        command = [sys.executable, "-c", DROP, str(self.directory), *map(str, what)]
        places = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        child = subprocess.Popen(
            command,
            env=places,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = self._last_words(child)
        if child.returncode and not self.kernel.ended.is_set():
            self._complain(said.strip()[-_LAST_WORDS_CHARS:])

    def _last_words(self, child: subprocess.Popen[str]) -> str:
        """What it says on standard error; it ends with the run, if not before."""
        while True:
            try:
                return child.communicate(timeout=HOUSEKEEPING_LOOK_SECONDS)[1]
            except subprocess.TimeoutExpired:
                if self.kernel.ended.is_set():
                    child.kill()  # at any instant: what it was at is begun again another time

    def _complain(self, text: str) -> None:
        """Tell once what keeps the history from being dropped."""
        if text != self._complaint:
            self._complaint = text
            reason = f"old history was not dropped: {text}"
            event = Event("housekeeping", self.kernel.book.now_ns(), "ledger", reason=reason)
            self.kernel.on_kernel(self.kernel.news.observer, event)
