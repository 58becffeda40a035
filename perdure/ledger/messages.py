"""The names of message classes on disk: `@message`, and the set of them that one run knows."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import (
    Any,
    NamedTuple,
    Protocol,
    TypeVar,
    dataclass_transform,
    overload,
    runtime_checkable,
)
from weakref import WeakSet

from perdure.errors import DeclarationError, NameClash, UnknownName
from perdure.limits import NAME_BYTES_MAX

T = TypeVar("T")

BUILT_IN_PREFIX = "perdure."
"""How the names of perdure's own messages start; every run knows those."""

_MARK = "__message__"
_SEPARATORS = frozenset(" @,$")  # these part the words of a head (see shapes.py) and the CLI form


class Registered(NamedTuple):
    """What `@message` notes about a class: its name on disk and the place that defines it."""

    name: str
    version: int
    aliases: tuple[str, ...]
    file: str
    line: int
    qualname: str

    @property
    def names(self) -> tuple[str, ...]:
        """The name and the aliases."""
        return (self.name, *self.aliases)

    @property
    def where(self) -> str:
        """The place, as `file:line`."""
        return f"{self.file}:{self.line}"


@runtime_checkable
class _FirstValue(Protocol):
    """What `perdure.field()` returns: rooms above define it, messages take it too."""

    durable: bool
    required: bool
    default: Any
    factory: Callable[[], Any] | None


def registration(cls: type) -> Registered | None:
    """What `@message` noted about exactly this class; None for any other, subclasses included."""
    noted: Registered | None = vars(cls).get(_MARK)
    return noted


def is_model(cls: type) -> bool:
    """Is `cls` a pydantic model? Told without importing pydantic: it is slow, and optional."""
    base = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    return base is not None and issubclass(cls, base)


def suggest(word: str, known: Iterable[str]) -> str:
    """The sentence that offers the nearest known word, with a leading space, or nothing.

    >>> suggest("Fuond", ["Found", "Read"])
    " Did you mean 'Found'?"
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


@overload
def message(cls: type[T], /) -> type[T]: ...
@overload
def message(
    name: str | None = None, /, *, version: int = 1, aliases: Iterable[str] = ()
) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def message(
    name: type[Any] | str | None = None, /, *, version: int = 1, aliases: Iterable[str] = ()
) -> Any:
    """A class decorator: the class becomes a frozen, slotted dataclass with a name on disk.

    The name is the class name, or the one given. Enums and pydantic models keep their own nature
    and only get the name; write `message(Color)` below such a class, for a decorated class is a
    dataclass to type checkers. A class whose fields changed raises its `version` and has
    `upgrade(fields, version)`, a static or class method that returns the fields of today; a class
    that changed its name lists the old one in `aliases`. Raises `DeclarationError`.

    >>> @message
    ... class Read:
    ...     path: str
    >>> Read("a.txt")
    Read(path='a.txt')
    >>> @message("survey.found", version=2, aliases=("Found",))
    ... class Located:
    ...     path: str
    ...     line: int = 1
    >>> registration(Located).names
    ('survey.found', 'Found')
    """
    if isinstance(name, type):
        return _register(name, name.__name__, 1, ())

    def decorate(cls: type[T]) -> type[T]:
        return _register(cls, cls.__name__ if name is None else name, version, tuple(aliases))

    return decorate


def _register(cls: type[T], name: str, version: int, aliases: tuple[str, ...]) -> type[T]:
    for each in (name, *aliases):
        _check_name(cls, each)
    if type(version) is not int or version < 1:
        raise DeclarationError(
            f"message {name!r} has version {version!r}; versions are whole numbers from 1."
        )
    if not (issubclass(cls, Enum) or is_model(cls)):
        cls = _freeze(cls)
    file, line = _place()
    setattr(cls, _MARK, Registered(name, version, aliases, file, line, cls.__qualname__))
    if name.startswith(BUILT_IN_PREFIX):
        _BUILT_IN.add(cls)
    else:
        _EVERYTHING.note(cls)
    return cls


def _check_name(cls: type, name: object) -> None:
    if not isinstance(name, str) or not name or not name.isprintable() or _SEPARATORS & set(name):
        raise DeclarationError(
            f"{name!r} cannot name the message class {cls.__qualname__}: a name is printable text "
            "without spaces, '@', ',' and '$', like \"survey.found\"."
        )
    if len(name.encode()) > NAME_BYTES_MAX:
        raise DeclarationError(
            f"the message name {name[:40]!r}… has {len(name.encode())} of at most "
            f"{NAME_BYTES_MAX} bytes; give {cls.__qualname__} a shorter one."
        )
    if name.startswith(BUILT_IN_PREFIX) and cls.__module__.partition(".")[0] != "perdure":
        raise DeclarationError(
            f"{name!r} cannot name {cls.__qualname__}: names that start with "
            f"{BUILT_IN_PREFIX!r} are perdure's own. Choose another prefix."
        )


def _freeze(cls: type[T]) -> type[T]:
    if "__dataclass_fields__" in vars(cls):
        raise DeclarationError(
            f"{cls.__qualname__} has both @message and @dataclass: remove @dataclass, "
            "@message makes it one."
        )
    for name, value in list(vars(cls).items()):
        if isinstance(value, _FirstValue):
            setattr(cls, name, _dataclass_field(f"{cls.__qualname__}.{name}", value))
    try:
        return dataclasses.dataclass(frozen=True, slots=True)(cls)
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"{cls.__qualname__} cannot be a message: {error}.") from error


def _dataclass_field(name: str, first: _FirstValue) -> Any:
    if not first.durable:
        raise DeclarationError(
            f"{name} is volatile(), but a message is stored whole: give it a default with field()."
        )
    if first.required:
        return dataclasses.field()
    if first.factory is None:
        return dataclasses.field(default=first.default)
    return dataclasses.field(default_factory=first.factory)


def _place() -> tuple[str, int]:
    """File and line of the nearest frame that is not this module: where the class is defined."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals is globals():
        frame = frame.f_back
    return ("?", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)


class Names:
    """The message classes that one run knows: registered name to class. perdure's own are included.

    >>> @message
    ... class Scan:
    ...     folder: str
    >>> names = Names.of({"Scan": Scan, "other": 1})
    >>> names.get("Scan") is Scan, list(names)
    (True, ['Scan'])
    """

    def __init__(self) -> None:
        self._claims: dict[str, dict[tuple[str, str], type]] = {}  # by name, then by place
        self.older: WeakSet[type] = WeakSet()  # classes of older code: see older.py

    @staticmethod
    def of(*namespaces: Mapping[str, object]) -> Names:
        """All classes made with `@message` in these module namespaces. Raises `NameClash`."""
        names = Names()
        for namespace in namespaces:
            for found in list(namespace.values()):
                if isinstance(found, type) and registration(found):
                    names.add(found)
        return names

    @staticmethod
    def everything() -> Names:
        """Every class that this process has decorated: the default outside a run, and in tests.

        It keeps growing. A name that two places claim is an error only when it is looked up.
        """
        return _EVERYTHING

    def add(self, cls: type) -> None:
        """Know `cls`. Raises `NameClash` if another place has one of its names.

        A class of the same file and qualified name is that class defined again: it is replaced.
        """
        noted = _noted(cls)
        for name in noted.names:
            for place, rival in self._claims.get(name, {}).items():
                if place != (noted.file, noted.qualname):
                    raise _clash(name, rival, cls)
        self.note(cls)

    def note(self, cls: type) -> None:
        """Know `cls`, and leave a clash to the look-up that meets it."""
        noted = _noted(cls)
        for name in noted.names:
            self._claims.setdefault(name, {})[noted.file, noted.qualname] = cls

    def get(self, name: str) -> type:
        """The class of that name or alias. Raises `UnknownName`, `NameClash`."""
        claims = self._claims.get(name) or _BUILT_IN._claims.get(name)
        if not claims:
            raise UnknownName(
                f"no message class is named {name!r} in this run.{suggest(name, self)} "
                f"It knows {', '.join(self) or 'none'}. Put the class back, import it where the "
                f"actors are, or give its new name aliases=({name!r},)."
            )
        first, *others = claims.values()
        if others:
            raise _clash(name, first, others[0])
        return first

    def __contains__(self, name: object) -> bool:
        return name in self._claims or name in _BUILT_IN._claims

    def __iter__(self) -> Iterator[str]:
        """The names a program may send, sorted; without aliases and perdure's own."""
        claims = list(self._claims.values())
        found = {_noted(cls).name for each in claims for cls in list(each.values())}
        return iter(sorted(name for name in found if not name.startswith(BUILT_IN_PREFIX)))


def _noted(cls: type) -> Registered:
    noted = registration(cls)
    if noted is None:
        raise DeclarationError(
            f"{cls.__qualname__} is no message class: decorate it with @message."
        )
    return noted


def _clash(name: str, one: type, other: type) -> NameClash:
    first, second = _noted(one), _noted(other)
    return NameClash(
        f"two message classes are named {name!r}: {first.qualname} ({first.where}) and "
        f'{second.qualname} ({second.where}). Give one its own name: @message("place.{name}").'
    )


_BUILT_IN = Names()
_EVERYTHING = Names()
