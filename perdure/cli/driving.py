"""Seeing a run through: watched to its end, drained by a signal, summed up, with an exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from perdure.actors.events import Observer
from perdure.cli.say import say, write_answer
from perdure.cli.summary import summary_form, summary_lines
from perdure.cli.watching import Watch
from perdure.limits import DRAIN_SECONDS_MAX
from perdure.runtime.run import Run
from perdure.runtime.view import View

EXIT_CODES = {"finished": 0, "failed": 1}
EXIT_GOES_ON = 4
_SHOW_CURSOR = b"\x1b[?25h\n"


def drive(
    begin: Callable[[Observer], Run], directory: Path, *, stay: bool, strict: bool, as_json: bool
) -> int:
    """Make a run with `begin`, wait for its end, tell how it ended; the exit code."""
    watch = Watch(lambda: start_ns, as_json=as_json)
    run = begin(watch)
    start_ns = run.kernel.book.now_ns()
    try:
        with _signals(run, watch):
            watch.start(run.figures)
            with run:
                run.wait(stay=stay)
    finally:
        watch.end()
    with View(directory) as view:
        code = exit_code(view, strict)
        if as_json:
            write_answer({**summary_form(view, directory), "exit_code": code})
        else:
            for line in summary_lines(view, directory):
                say(line)
    return code


def exit_code(view: View, strict: bool) -> int:
    """What a run that ended so exits with."""
    code = EXIT_CODES.get(view.status.status, EXIT_GOES_ON)
    return 1 if strict and code == 0 and view.dead_letter_count else code


def _cut() -> None:
    """End a process whose handlers will not: one holds the kernel, or swallows its cancellation."""
    text = f"perdure: a handler did not end within {DRAIN_SECONDS_MAX:g} s: stopped without it. "
    os.write(2, f"{text}`perdure resume` goes on.\n".encode())
    os._exit(EXIT_GOES_ON)


@contextmanager
def _signals(run: Run, watch: Watch) -> Iterator[None]:
    """SIGTERM and SIGINT drain the run; the second one ends the process at once."""
    seen: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> Any:
        seen.append(number)
        if len(seen) > 1:
            if sys.stdout.isatty():
                os.write(1, _SHOW_CURSOR)
            os.write(2, b"perdure: stopped at once. `perdure resume` goes on.\n")
            os._exit(EXIT_GOES_ON)
        deadline = threading.Timer(DRAIN_SECONDS_MAX, _cut)
        deadline.daemon = True
        deadline.start()
        watch.remark("draining: turns in flight may end. Once more stops at once.")
        run.drain()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
