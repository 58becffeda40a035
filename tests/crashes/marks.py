"""What a process lets out, noted in the log of tests/crashes/powercut.c if it runs under that."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

_SHIM = ctypes.CDLL(None)
_mark: Callable[[bytes], object] = getattr(_SHIM, "powercut_mark", lambda text: None)


def mark(text: str) -> None:
    """Note that something is out now: nothing may take it back."""
    _mark(text.encode())


def kill_at(moment: str) -> None:
    """Be killed after so many entries (`"137"`), or just before the n-th of a kind (`"y2"`)."""
    kind, number = (moment[0], moment[1:]) if moment[0].isalpha() else ("\0", moment)
    _SHIM.powercut_kill(ctypes.c_char(kind.encode()), ctypes.c_long(int(number)))
