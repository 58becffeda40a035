"""Watching a run: its events as lines, and below them, in a terminal, how far it is."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from perdure.actors.events import Event
from perdure.cli.progress import progress_line
from perdure.cli.say import complain, fitted, is_terminal, paint, say, wrapped, write_json
from perdure.cli.story import WHOLE, Story, event_form
from perdure.limits import EVENTS_WAITING_MAX

if TYPE_CHECKING:
    from rich.live import Live

Figures = Callable[[], Mapping[str, Any]]

FRAMES_PER_SECOND = 8
INDENT = 10  # of the second line of an event: below what follows the time
RATE_SECONDS = 2.0  # over which turns per second are measured


class Watch:
    """The observer of a run: called on its kernel thread, it only hands events to its own thread.

    `start` begins to write, `end` writes what is left. With `as_json`, each event is a line of
    JSON; else a `Story` tells them. Figures are shown when standard output is a terminal.
    """

    def __init__(self, start_ns: Callable[[], int], *, as_json: bool) -> None:
        self._start_ns = start_ns
        self._as_json = as_json
        self._queue: SimpleQueue[Event | str | None] = SimpleQueue()
        self._left_out = 0
        self._thread = threading.Thread(target=self._write, name="perdure-watch", daemon=True)
        self._live: Live | None = None
        self._rates: deque[tuple[float, int]] = deque()

    def __call__(self, event: Event) -> None:
        if self._queue.qsize() < EVENTS_WAITING_MAX:
            self._queue.put(event)
        else:
            self._left_out += 1

    def remark(self, text: str) -> None:
        """Have a sentence written among the events; safe in a signal handler."""
        self._queue.put(text)

    def start(self, figures: Figures) -> None:
        """Begin to write."""
        if is_terminal() and not self._as_json:
            live = self._live = self._display(figures)
            live.start()
        self._thread.start()

    def end(self) -> None:
        """Write what is left, and stop."""
        if self._thread.ident is not None:
            self._queue.put(None)
            self._thread.join()

    def _write(self) -> None:
        try:
            self._write_all()
        except OSError:  # nobody reads any more; whoever writes next on the main thread says so
            while self._queue.get() is not None:
                pass

    def _write_all(self) -> None:
        start_ns = self._start_ns()
        story = Story(start_ns)
        while (item := self._queue.get()) is not None:
            if isinstance(item, str):
                self._aside(item)
            elif self._as_json:
                write_json(event_form(item, start_ns))
            else:
                self._lines(story.tell(item), is_whole=item.kind in WHOLE)
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._lines(story.end())
        if self._left_out:
            self._aside(f"{self._left_out:,} events came faster than they could be written.")

    def _lines(self, lines: list[str], *, is_whole: bool = False) -> None:
        for line in lines:
            self._say("\n".join(wrapped(line, INDENT)) if is_whole else fitted(line))

    def _say(self, line: str) -> None:
        if self._live is None:
            say(line)
        else:
            from rich.text import Text

            self._live.console.print(Text.from_ansi(line), soft_wrap=True)

    def _aside(self, text: str) -> None:
        if self._live is None:
            complain(text)
        else:
            self._lines([paint(text, "yellow")])

    def _display(self, figures: Figures) -> Live:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        began = time.monotonic()

        def frame() -> Text:
            found = figures()
            seconds = time.monotonic() - began
            return Text.from_ansi(progress_line(found, seconds, self._rate(found["turns"])))

        return Live(
            get_renderable=frame,
            console=Console(highlight=False),
            refresh_per_second=FRAMES_PER_SECOND,
            transient=True,
        )

    def _rate(self, turns: int) -> float:
        """Turns per second, lately."""
        now, rates = time.monotonic(), self._rates
        rates.append((now, turns))
        while now - rates[0][0] > RATE_SECONDS:
            rates.popleft()
        seconds = now - rates[0][0]
        return (turns - rates[0][1]) / seconds if seconds > 0 else 0.0
