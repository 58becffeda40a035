"""Recorded failures as the exceptions that they were: the journal holds a class name and a text."""

from __future__ import annotations

import builtins
from functools import lru_cache
from typing import Any, cast

from perdure.actors.steps import failure_of
from perdure.errors import StepFailed

PLAIN = ("Crashed", "AskTimeout", "Reject")


def raised_again(kind: str, text: str, tool: object = None) -> Exception:
    """An exception of the class of that name, with that text, as a step first raised it.

    It has no other attributes: no `errno`, no `args`. A class that is not loaded has a stand-in.
    """
    if kind in PLAIN:
        return failure_of(kind, text)
    found = _class_named(kind, getattr(tool, "__globals__", {}).get(kind))
    if not issubclass(found, Exception):
        return StepFailed(kind, text)  # a step that exits, say, ends nothing but itself
    shape = _with_text(found)
    error: Any = shape.__new__(shape)
    error._text = text
    return cast("Exception", error)


@lru_cache(maxsize=256)
def _class_named(kind: str, near: Any) -> Any:
    for found in (near, getattr(builtins, kind, None)):
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
    waiting: list[type[BaseException]] = [BaseException]
    while waiting:
        cls = waiting.pop()
        if cls.__name__ == kind and "_text" not in vars(cls):
            return cls
        waiting += type.__subclasses__(cls)
    return type(kind, (Exception,), {})


@lru_cache(maxsize=256)
def _with_text(cls: type[Exception]) -> Any:
    """A class of the same name whose text is what was recorded: constructors differ."""
    names = {"_text": "", "__str__": lambda self: self._text, "__module__": cls.__module__}
    return type(cls.__name__, (cls,), names)
