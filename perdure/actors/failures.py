"""Failures of steps as a later attempt meets them again.

What a handler caught, it must be able to catch again: a recorded failure is given back as a
`StepFailed` that is an instance of the class that was raised, too, where that class still is. It
has the arguments and attributes that could be stored.
"""

from __future__ import annotations

import asyncio
import sys
from functools import lru_cache
from typing import Any, cast

from perdure.actors.futures import Future
from perdure.actors.particulars import NOTHING, TEXT, Particulars, have
from perdure.caps.tool import CODE_PREFIX
from perdure.errors import (
    AskTimeout,
    CallFailed,
    Crashed,
    Deadlock,
    PerdureError,
    Reject,
    StepCancelled,
    StepFailed,
)
from perdure.ledger.stepkeys import branch_of
from perdure.ledger.steprecords import ABANDONED, CANCELLED

_OUR_OWN: dict[str, type[PerdureError]] = {
    "Crashed": Crashed,
    "AskTimeout": AskTimeout,
    "Reject": Reject,
    "Deadlock": Deadlock,
}

CALL_FAILED = CallFailed.__name__
KERNELS = ("", "builtins", PerdureError.__module__)
"""The modules of the kernel's own failures, most of which are recorded without one."""

_EXITS = {cls.__name__ for cls in (SystemExit, KeyboardInterrupt, GeneratorExit)}


ENDS = (Exception, asyncio.CancelledError, SystemExit, KeyboardInterrupt)
"""What a step may end with: all that its code can raise, and nothing that ends a coroutine."""


def stopped(kind: str, text: str) -> StepFailed:
    """What a step that exits ends with: it ends nothing but itself."""
    return StepFailed(kind, f"{kind}: {text}")


def failure_of(kind: str, text: str, module: str = "builtins", *details: Any) -> Exception:
    """The exception for a recorded failure; `details` are its particulars, or a `CallFailed`'s."""
    is_ours = module in KERNELS  # other code may have classes of these names
    if kind == CALL_FAILED and is_ours:
        return CallFailed(text, *details)
    particulars: Particulars = details[0] if details else NOTHING
    if kind in _OUR_OWN and is_ours:
        return have(_OUR_OWN[kind](text), particulars)
    if kind in (CANCELLED, ABANDONED) and is_ours:
        return StepCancelled(kind, text)
    if kind in _EXITS:
        return stopped(kind, text)
    found = class_of(kind, module)
    again = None if found is None else _remembered(cast("Any", found))
    if again is not None:
        return have(again(kind, text), particulars)
    left = have(StepFailed(kind, text), particulars)
    left.kind, left.text = kind, text
    return left


def failed_again(
    key: str, kind: str, text: str, module: str = "builtins", *details: Any
) -> Future[Any]:
    """A recorded failure of a step, as a later attempt meets it.

    One that was cancelled in a task of the handler's own waits until that task is cancelled again:
    a task group takes no notice of such a task, and would fail at an exception out of it.
    """
    if kind == CANCELLED and branch_of(key):
        return Future()
    return Future.failed(failure_of(kind, text, module, *details))


def class_of(kind: str, module: str) -> type[Exception] | None:
    """The class of that name, if it is loaded; nothing is imported for it."""
    if module == CODE_PREFIX:
        places = [each for name, each in sys.modules.items() if name.startswith(CODE_PREFIX)]
    else:
        places = [sys.modules[module]] if module in sys.modules else []
    for place in reversed(places):  # the newest load of a scenario's code is the one that runs
        found: Any = place
        for part in kind.split("."):
            found = getattr(found, part, None)
        if isinstance(found, type) and issubclass(found, Exception):
            return found
    return None


@lru_cache(256)
def _remembered(raised: Any) -> type[StepFailed] | None:
    """A class that is both; None where Python cannot make one."""
    names: dict[str, Any] = {
        "__init__": _keep,
        "__str__": _said,
        "__module__": raised.__module__,
    }
    bases = (StepFailed,) if issubclass(StepFailed, raised) else (StepFailed, raised)
    if issubclass(raised, BaseExceptionGroup):
        names["__new__"] = _group
    try:
        made: type[StepFailed] = type(raised.__name__, bases, names)
        made("kind", "text")
    except Exception:  # noqa: BLE001 - whatever a class has against being inherited from
        return None
    return made


def _group(cls: Any, kind: str, text: str) -> Any:
    """A group of one: what it held is not recorded, and an empty one is none."""
    return BaseExceptionGroup.__new__(cls, text, [StepFailed(kind, text)])


def _keep(self: StepFailed, kind: str, text: str) -> None:
    """`StepFailed.__init__`, without those of the classes beside it, which want other things."""
    if not isinstance(self, BaseExceptionGroup):
        Exception.__init__(self, kind, text)
    self.kind, self.text = kind, text
    vars(self)[TEXT] = text  # the class that was raised may have a text of its own


def _said(self: Any) -> str:
    """The text that the first attempt saw, to the letter."""
    said: str = vars(self)[TEXT]
    return said


def is_retried(error: BaseException) -> bool:
    """Whether a tool's own policy tries again after this."""
    return isinstance(error, Exception) and not isinstance(error, asyncio.CancelledError)
