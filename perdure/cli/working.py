"""What a verb is at that takes its time: one line of a terminal, which goes away by itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from perdure.cli.say import paint
from perdure.ledger.whole import Tick

_SECONDS_FIRST = 0.2
_CLEAR = "\r\x1b[K"


@contextmanager
def working(name: str) -> Iterator[Tick]:
    """What to call with each thing that is begun; shown when standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    began = time.monotonic()

    def tick(step: str) -> None:
        seconds = time.monotonic() - began
        took = f"  {seconds:.0f} s" if seconds >= _SECONDS_FIRST else ""
        sys.stderr.write(f"{_CLEAR}{paint(f'{name}: {step}…{took}', dim=True)}")
        sys.stderr.flush()

    try:
        yield tick
    finally:
        sys.stderr.write(_CLEAR)
        sys.stderr.flush()
