"""The watchdog: a thread outside the loop that notices when the kernel stands still."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.actors.lingering import Lingering
from perdure.limits import KERNEL_STALL_SECONDS_MAX, READER_LOOKS, WATCHDOG_SECONDS

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

STALLED_EXIT = 4
"""What the process ends with: not finished, resume continues."""


class Watchdog:
    """Asks the kernel for a sign of life; a handler that holds it too long ends the process.

    Nothing is lost by that: what is durable is, and the message is handled again at resume. Who
    held the kernel, and where, is written to `stalled.txt` in the run's directory.
    """

    def __init__(
        self,
        kernel: Kernel,
        directory: Path | None,
        *,
        seconds_max: float = KERNEL_STALL_SECONDS_MAX,
        end: Callable[[str], None] | None = None,
    ) -> None:
        self.kernel = kernel
        self.directory = directory
        self.seconds_max = seconds_max
        self._end = end or self._end_process
        self._alive = kernel.machine.flag()
        self._lingering = Lingering(kernel)
        self._thread = kernel.machine.thread(self._run, "perdure-watchdog")

    def start(self) -> None:
        """Begin to watch; it ends with the run."""
        self._thread.start()

    def _run(self) -> None:
        looks = 0
        while not self.kernel.ended.wait(WATCHDOG_SECONDS):
            self._alive.clear()
            self.kernel.on_kernel(self._alive.set)
            if not self.answers() and not self.may_stand_still():
                self._end(self.describe())
                return
            looks += 1
            if looks % READER_LOOKS == 0:
                self._lingering.look()

    def answers(self) -> bool:
        """Whether the kernel gives its sign of life in time, as this process counts it.

        Waited for in short pieces: a process that is stopped (SIGSTOP) meanwhile loses one.
        """
        pause = min(WATCHDOG_SECONDS, self.seconds_max)
        return any(self._alive.wait(pause) for _ in range(ceil(self.seconds_max / pause)))

    def may_stand_still(self) -> bool:
        """Whether it is over, or waits for a disk that is slow: no handler's fault."""
        return self.kernel.ended.is_set() or self.kernel.barrier.is_at_disk

    def describe(self) -> str:
        """Who holds the kernel, and at which line."""
        frame = sys._current_frames().get(self.kernel.thread_id)
        where = "".join(traceback.format_stack(frame)[-3:]) if frame else "an unknown place\n"
        held = [turn.cell.address for turn in self.kernel.dispatch.running if not turn.waits]
        who = ", ".join(sorted(held)) or "no handler"
        return (
            f"the kernel has stood still for {self.seconds_max:g} s: {who} holds it. "
            "A handler that blocks is a plain def without @nonblocking; an async def awaits. "
            f"`perdure resume` goes on from the last durable record. It is at\n{where}"
        )

    def _end_process(self, text: str) -> None:
        if self.directory is not None:
            (self.directory / "stalled.txt").write_text(text)
        self.kernel.machine.end_process(f"perdure: {text}", STALLED_EXIT)
