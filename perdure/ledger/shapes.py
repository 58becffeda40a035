"""How the objects of one registered class are written and read: functions made for that class.

The bytes of a message begin with its head, "name@version field,field": one look-up of the head
finds the function that reads what follows, and a head that is not today's still says what it holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, Flag
from typing import Any, NamedTuple

from msgpack import ExtType

from perdure.errors import UnknownName
from perdure.ledger.messages import Registered, is_model
from perdure.ledger.records import Row
from perdure.ledger.wire import ENUM, MESSAGE, SCALARS, Unfit
from perdure.limits import VALUE_DEPTH_MAX

Lower = Callable[[Any, int], object]
"""(value, depth) -> what msgpack packs. Raises `Unfit`."""

Forms = Mapping[type, Lower]
"""How each type is lowered."""

Lift = Callable[[Row], object]
"""The row -> the object."""

_MODEL_STATE = ("__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")


class Shape(NamedTuple):
    """One class: its head on disk, and the way to bytes and back."""

    head: str
    lower: Lower
    lift: Lift
    row: Callable[[Any], Row | None]  # of an object whose values are all scalars; else None


class Head(NamedTuple):
    """What the head of a message says: what wrote the values after it."""

    name: str
    version: int
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}@{self.version} {','.join(self.fields)}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """The head that `str()` wrote. Raises `ValueError`."""
        name, _, rest = text.partition("@")
        version, _, fields = rest.partition(" ")
        return cls(name, int(version), tuple(fields.split(",")) if fields else ())


def fields_of(cls: type[Any]) -> tuple[str, ...]:
    """The field names of a message class or model, in order."""
    if is_model(cls):
        return tuple(cls.model_fields)
    return tuple(field.name for field in dataclasses.fields(cls))


def shape_of(cls: type, noted: Registered, forms: Forms) -> Shape:
    """The shape of a registered class that is no enum."""
    fields = fields_of(cls)
    head = str(Head(noted.name, noted.version, fields))
    if is_model(cls):
        return Shape(head, _model_lower(head, fields, forms), _model_lift(cls, fields), no_row)
    return Shape(head, *_generate(cls, head, fields, forms))


def no_row(_value: object) -> None:
    """The row of what is no message of scalars."""


def _generate(
    cls: type, head: str, fields: tuple[str, ...], forms: Forms
) -> tuple[Lower, Lift, Callable[[Any], Row | None]]:
    """Straight-line functions for a dataclass: several times faster than loops over its fields."""
    values = [f"v{i}" for i in range(len(fields))]
    reads = [f"    {v} = m.{field}" for v, field in zip(values, fields, strict=True)]
    items = [f"{v} if type({v}) in SCALARS else forms[type({v})]({v}, d + 1)" for v in values]
    writes = [f"    set_{v}(m, {v})" for v in values]
    source = "\n".join(
        [
            "def lower(m, d):",
            "    if d > VALUE_DEPTH_MAX: raise Unfit",
            *reads,
            f"    return {{MESSAGE: [{', '.join(['HEAD', *items])}]}}",
            "def lift(row):",
            f"    {', '.join(['_', *values])}, = row",
            "    m = new(cls)",
            *writes,
            "    return m",
            "def row(m):",
            *reads,
            f"    if {' and '.join([f'type({v}) in SCALARS' for v in values]) or 'True'}:",
            f"        return [{', '.join(['HEAD', *values])}]",
        ]
    )
    scope: dict[str, Any] = {
        "HEAD": head, "MESSAGE": MESSAGE, "SCALARS": SCALARS, "Unfit": Unfit,
        "VALUE_DEPTH_MAX": VALUE_DEPTH_MAX, "cls": cls, "forms": forms, "new": object.__new__,
    }  # fmt: skip
    # A frozen class lets nobody assign; its slots do, and __init__ has run when it was first made.
    slots = {f"set_{v}": getattr(cls, f).__set__ for v, f in zip(values, fields, strict=True)}
    made: dict[str, Any] = {}
    exec(source, scope | slots, made)
    return made["lower"], made["lift"], made["row"]


def _model_lower(head: str, fields: tuple[str, ...], forms: Forms) -> Lower:
    def lowered(value: Any, depth: int) -> Any:
        kind = type(value)
        return value if kind in SCALARS else forms[kind](value, depth)

    def lower(model: Any, depth: int) -> object:
        if depth > VALUE_DEPTH_MAX:
            raise Unfit
        state = model.__getstate__()
        values = state["__dict__"]
        extra, given, private = (state.get(part) for part in _MODEL_STATE)  # a RootModel has one
        row = [head, *(lowered(values[field], depth + 1) for field in fields)]
        row += (lowered(extra, depth + 1), sorted(given), lowered(private, depth + 1))
        return {MESSAGE: row}

    return lower


def _model_lift(cls: Any, fields: tuple[str, ...]) -> Lift:
    def lift(row: list[Any]) -> object:
        *values, extra, given, private = row[1:]
        state = dict(zip(_MODEL_STATE, (extra, set(given), private), strict=True))
        model = cls.__new__(cls)
        model.__setstate__({"__dict__": dict(zip(fields, values, strict=True)), **state})
        return model

    return lift


def bridge(cls: type[Any], noted: Registered, head: Head) -> Lift:
    """The way from a head that is not today's to the class of today. Raises `UnknownName`."""
    own = fields_of(cls)
    if head.version > noted.version:
        raise UnknownName(
            f"the ledger has {head.name} of version {head.version}, this code has version "
            f"{noted.version} ({noted.where}). Run the newer code."
        )
    upgrade = getattr(cls, "upgrade", None)
    if head.version < noted.version and upgrade is None:
        raise UnknownName(
            f"the ledger has {head.name} of version {head.version}, this code has version "
            f"{noted.version} ({noted.where}) without upgrade(fields, version). Write one."
        )
    if head.version == noted.version and not set(head.fields) <= set(own):
        raise UnknownName(
            f"the ledger has {head.name} with the fields {', '.join(head.fields)}; this code has "
            f"{', '.join(own) or 'none'} ({noted.where}) under the same version. "
            "Raise its version and write upgrade(fields, version)."
        )

    def lift(row: list[Any]) -> object:
        values = row[1 : 1 + len(head.fields)]
        fields = dict(zip(head.fields, values, strict=True))
        try:
            if head.version < noted.version:
                fields = upgrade(fields, head.version)  # type: ignore[misc]
            return construct(cls, fields)
        except Exception as error:
            raise UnknownName(
                f"{head.name} of version {head.version} does not fit {cls.__qualname__} of this "
                f"code ({noted.where}): {type(error).__name__}: {error}."
            ) from error

    return lift


def misfit(row: Sequence[Any]) -> UnknownName | None:
    """What to say of a whole row that the class of its head cannot take; None if it is not whole.

    A message's row has its fields, a model's has more: nobody else can tell their heads apart.
    """
    head = Head.parse(row[0])
    if len(row) - 1 - len(head.fields) not in (0, len(_MODEL_STATE)):
        return None
    return UnknownName(
        f"the ledger has {head.name} of version {head.version} from a class of another kind: a "
        "message became a pydantic model, or a model a message. Raise its version and write "
        "upgrade(fields, version), or put the class back."
    )


def construct(cls: type[Any], fields: Mapping[str, Any]) -> object:
    """An object through its own constructor, checks included. Raises what that raises."""
    if not is_model(cls):
        return cls(**fields)
    if cls.__pydantic_root_model__:
        return cls.model_validate(fields["root"])
    named = {name: info.validation_alias for name, info in cls.model_fields.items()}
    return cls.model_validate(
        {
            alias if isinstance(alias := named.get(name), str) else name: value
            for name, value in fields.items()
        }
    )


# --- enums: one extension value, "name MEMBER"; flags are written as their number


def enum_lower(noted: Registered) -> Lower:
    """The way of one enum class to bytes."""

    def lower(member: Enum, _depth: int) -> ExtType:
        return ExtType(ENUM, f"{noted.name} {member_text(member)}".encode())

    return lower


def member_text(member: Enum) -> str:
    """What stands for a member: its name, or the number of a flag."""
    return str(member.value) if isinstance(member, Flag) else member.name


def member_of(cls: type, text: str) -> Enum:
    """The member that `member_text` stands for. Raises `UnknownName`."""
    if issubclass(cls, Enum):
        try:
            return cls(int(text)) if issubclass(cls, Flag) else cls[text]
        except (KeyError, ValueError):
            pass
    known = ", ".join(getattr(cls, "__members__", ())) or "none"
    raise UnknownName(
        f"{cls.__qualname__} has no member {text!r} in this code; its members: {known}. "
        "Put the member back; a second name for a value keeps the old one readable."
    )
