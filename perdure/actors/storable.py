"""Whether the values that an annotation allows can be stored: a best effort, lenient in doubt."""

from __future__ import annotations

import inspect
import sys
from collections import abc
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    ForwardRef,
    Literal,
    TypeVar,
    get_args,
    get_origin,
    is_typeddict,
)
from uuid import UUID

from perdure.ids import MessageId, Ref
from perdure.ledger.messages import is_model, registration

if sys.version_info >= (3, 14):
    import annotationlib

_VALUES = {NoneType, bool, int, float, str, bytes, list, tuple, dict, set, frozenset, object}
_NAMED = {datetime, Decimal, UUID, Ref, MessageId}
_ABSTRACT = "Sequence MutableSequence Mapping MutableMapping Set MutableSet Collection Iterable"
_STORED = _VALUES | _NAMED | {getattr(abc, name) for name in _ABSTRACT.split()}
"""Classes that can be stored, and those that some of what can be stored belongs to."""


def annotations_of(cls: type) -> dict[str, Any]:
    """The annotations of a class body, resolved where they can be; else as strings."""
    if sys.version_info >= (3, 14):
        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    known: Mapping[str, Any] = vars(sys.modules.get(cls.__module__, sys))
    raw = inspect.get_annotations(cls)
    return {name: _resolve(value, known, cls) for name, value in raw.items()}


def _resolve(annotation: Any, known: Mapping[str, Any], cls: type) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(known), dict(vars(cls)))
    except Exception:  # noqa: BLE001 (whatever is wrong with it, a type checker says it better)
        return annotation


def is_class_var(annotation: Any) -> bool:
    """Whether an annotation, resolved or not, says `ClassVar`."""
    if isinstance(annotation, str):
        return annotation.split("[")[0].rsplit(".", 1)[-1] == "ClassVar"
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def unstorable(annotation: Any) -> str:
    """The part of an annotation whose values have no bytes, as text; '' if there is none.

    >>> unstorable(dict[str, int | None])
    ''
    >>> from collections.abc import Callable
    >>> unstorable(list[Callable[[], None]])
    'collections.abc.Callable'
    """
    if annotation is None or annotation is Any or annotation is Ellipsis:
        return ""
    if isinstance(annotation, str | ForwardRef | TypeVar):
        return ""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is None:
        return _unstorable_class(annotation)
    if origin is Literal:
        return ""
    if origin is Annotated:
        return unstorable(args[0])
    if origin is dict:
        key = get_origin(args[0]) or args[0]
        if isinstance(key, type) and key not in (str, int, Any, object, UnionType):
            return f"a dict key of type {_name(key)}"
    return _unstorable_class(origin) or next(filter(None, map(unstorable, args)), "")


def _unstorable_class(cls: Any) -> str:
    if not isinstance(cls, type):
        known = getattr(cls, "__supertype__", None)  # of a NewType
        if known is not None:
            return unstorable(known)
        return _name(cls) if inspect.isroutine(cls) else ""  # threading.Lock is a function
    if cls in _STORED or cls is UnionType or is_typeddict(cls) or issubclass(cls, Enum):
        return ""
    if is_model(cls) or any(registration(c) is not None for c in (cls, *type.__subclasses__(cls))):
        return ""
    return "" if getattr(cls, "_is_protocol", False) else _name(cls)


def _name(cls: Any) -> str:
    module = getattr(cls, "__module__", "")
    name = getattr(cls, "__qualname__", repr(cls))
    return name if module in ("builtins", "", None) else f"{module}.{name}"
