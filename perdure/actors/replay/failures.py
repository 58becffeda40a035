"""Recorded failures as the exceptions that they first were, as far as the journal has them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from perdure.actors.failures import KERNELS, class_of, failure_of, stopped
from perdure.actors.particulars import NOTHING, TEXT, have
from perdure.errors import AskTimeout, CallFailed, Crashed, Deadlock, Reject, StepFailed

PLAIN = {cls.__name__ for cls in (AskTimeout, CallFailed, Crashed, Deadlock, Reject)}


def raised_again(kind: str, text: str, module: str = "builtins", *details: Any) -> Exception:
    """An exception of that class, with that text, as a step first raised it.

    It has the arguments and attributes that could be stored. A class that is not loaded has a
    stand-in.
    """
    if kind in PLAIN and module in KERNELS:
        return failure_of(kind, text, module, *details)
    found: Any = class_of(kind, module) or _defined_inside(kind)
    if not issubclass(found, Exception):
        return stopped(kind, text)
    shape = _with_text(found)
    given = (text, [StepFailed(kind, text)]) if issubclass(found, BaseExceptionGroup) else ()
    error: Any = shape.__new__(shape, *given)
    vars(error)[TEXT] = text
    return cast("Exception", have(error, details[0] if details else NOTHING))


@lru_cache(256)
def _defined_inside(kind: str) -> Any:
    """A class that no module has by name, but that is there; else a new one."""
    waiting: list[type[BaseException]] = [BaseException]
    while waiting:
        cls = waiting.pop()
        if cls.__qualname__ == kind and TEXT not in vars(cls):
            return cls
        waiting += type.__subclasses__(cls)
    return type(kind.rpartition(".")[2], (Exception,), {})


@lru_cache(256)
def _with_text(cls: type[Exception]) -> Any:
    """A class of the same name whose text is what was recorded: constructors differ."""
    names = {TEXT: "", "__str__": lambda self: getattr(self, TEXT), "__module__": cls.__module__}
    return type(cls.__name__, (cls,), names)
