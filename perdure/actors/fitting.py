"""Whether a value is one that an annotation allows; pure, and lenient where it cannot tell."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, ForwardRef, Literal, TypeVar, Union, get_args, get_origin
from typing import is_typeddict as is_typed_dict

from perdure.actors.storable import annotations_of


def annotation_of(cls: type, name: str) -> Any:
    """The annotation of an attribute in the class, or in the nearest base that has one."""
    for each in cls.__mro__:
        found = annotations_of(each)
        if name in found:
            return found[name]
    return Any


def fits(value: Any, annotation: Any) -> bool:
    """Whether a value, and what is in it, is of an annotation's type.

    >>> fits({"a": 1}, dict[str, int | None]), fits({"a": "b"}, dict[str, int])
    (True, False)
    >>> fits(1, float), fits("x", "a name that nobody knows"), fits((1, "x"), tuple[int, str])
    (True, True, True)
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is None:
        return _is_of(value, annotation)
    if origin is Literal:
        return any(value == each and type(value) is type(each) for each in args)
    if origin is Annotated:
        return fits(value, args[0])
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in args)
    return _is_of(value, origin) and _holds(value, origin, args)


def _is_of(value: Any, cls: Any) -> bool:
    if cls is None:
        return value is None
    if isinstance(cls, str | ForwardRef | TypeVar):
        return True
    if is_typed_dict(cls):
        return isinstance(value, dict)
    known = getattr(cls, "__supertype__", None)  # of a NewType
    if known is not None:
        return fits(value, known)
    if cls is float:
        return isinstance(value, int | float)
    try:
        return isinstance(value, cls)
    except TypeError:  # Any, or a protocol that is not looked at when a program runs
        return True


def _holds(value: Any, origin: Any, args: tuple[Any, ...]) -> bool:
    """Whether what is in a container is of the types in its brackets."""
    if isinstance(value, dict) and len(args) == 2:
        return all(fits(key, args[0]) and fits(each, args[1]) for key, each in value.items())
    if origin is tuple and Ellipsis not in args:
        return len(value) == len(args) and all(map(fits, value, args))
    if isinstance(value, list | tuple | set | frozenset) and args:
        return all(fits(each, args[0]) for each in value)
    return True
