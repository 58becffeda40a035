"""Values as people write them: JSON, with `{"$": "Found", "page": "x"}` for a message.

What JSON does not have is an object of one key: `{"$tuple": [1, 2]}`, `{"$bytes": "aGk="}`,
`{"$datetime": "2024-05-01T12:00:00+00:00"}`, `{"$enum": "Color.RED"}`, `{"$dict": [[1, "a"]]}`…
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from perdure.errors import UnknownName, UsageError
from perdure.ids import MessageId, Ref
from perdure.ledger.messages import Names, is_model, registration, suggest
from perdure.ledger.shapes import construct, fields_of, member_of, member_text
from perdure.limits import VALUE_DEPTH_MAX

_AS_THEY_ARE = (type(None), bool, int, str)


def to_json(value: Any) -> Any:
    """The JSON form of a value that has bytes.

    >>> to_json({"pages": (1, 2)})
    {'pages': {'$tuple': [1, 2]}}
    """
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if isinstance(value, Enum):
        return {"$enum": f"{_name(kind)}.{member_text(value)}"}
    if registration(kind):
        fields = {field: to_json(getattr(value, field)) for field in fields_of(kind)}
        return {"$": _name(kind), **fields}
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind in _TEXTS:
        return {f"${_TEXTS[kind][0]}": _TEXTS[kind][1](value)}
    if isinstance(value, dict):
        if any(type(key) is not str or key.startswith("$") for key in value):
            return {"$dict": [[key, to_json(part)] for key, part in value.items()]}
        return {key: to_json(part) for key, part in value.items()}
    parts = [to_json(part) for part in value]
    if isinstance(value, list):
        return parts
    if isinstance(value, (set, frozenset)):
        parts.sort(key=repr)  # a set iterates in another order in another process
    return {f"${_bare(kind)}": parts}


def from_json(form: object, names: Names, at: str = "$", depth: int = 1) -> Any:
    """The value of a JSON form; `at` is where it stands. Raises `UsageError`.

    Aware datetimes are taken as they are, for TOML has them.

    >>> from_json({"$set": [1, 2]}, Names())
    {1, 2}
    """
    if depth > VALUE_DEPTH_MAX:
        raise UsageError(f"{at}: nested deeper than the {VALUE_DEPTH_MAX} levels a value may have.")
    kind = type(form)
    if kind in _AS_THEY_ARE or kind is float:
        return form
    if isinstance(form, datetime) and kind is datetime and form.utcoffset() is not None:
        return form
    if isinstance(form, list):
        return [from_json(part, names, f"{at}[{i}]", depth + 1) for i, part in enumerate(form)]
    if not isinstance(form, dict):
        raise UsageError(
            f"{at} is a {kind.__name__}; write null, true, a number, text, a list, an object, or "
            "a datetime with its offset."
        )
    if "$" in form:
        return _message(form, names, at, depth)
    if any(isinstance(key, str) and key.startswith("$") for key in form):
        return _tagged(form, names, at, depth)
    return {key: from_json(part, names, f"{at}.{key}", depth + 1) for key, part in form.items()}


def _message(form: dict[str, Any], names: Names, at: str, depth: int) -> object:
    name = form["$"]
    known = list(names)
    if not isinstance(name, str) or name not in names:
        raise UnknownName(
            f"{at} names the message {name!r}, which this run does not know."
            f"{suggest(str(name), known)} It knows {', '.join(known) or 'none'}."
        )
    cls = names.get(name)
    if issubclass(cls, Enum):
        raise UsageError(f'{at}: {name} is an enum. Write {{"$enum": "{name}.MEMBER"}}.')
    given = [key for key in form if key != "$"]
    _check_fields(cls, name, given, at)
    fields = {key: from_json(form[key], names, f"{at}.{key}", depth + 1) for key in given}
    try:
        return construct(cls, fields)
    except Exception as error:
        raise UsageError(f"{at}: {name} refuses these fields: {error}") from error


def _check_fields(cls: type, name: str, given: Iterable[str], at: str) -> None:
    allowed, required = _signature(cls)
    listing = ", ".join(allowed) or "none"
    for key in given:
        if key not in allowed and not _takes_extra(cls):
            raise UsageError(
                f"{at}: {name} has no field {key!r}.{suggest(key, allowed)} Its fields: {listing}."
            )
    missing = [key for key in required if key not in set(given)]
    if missing:
        raise UsageError(
            f"{at}: {name} needs {', '.join(map(repr, missing))}. Its fields: {listing}."
        )


def _signature(cls: type[Any]) -> tuple[list[str], list[str]]:
    """The fields one may give, and those one must."""
    if is_model(cls):
        infos = cls.model_fields
        return list(infos), [key for key, info in infos.items() if info.is_required()]
    fields = [field for field in dataclasses.fields(cls) if field.init]
    absent = dataclasses.MISSING
    required = [f.name for f in fields if f.default is absent and f.default_factory is absent]
    return [field.name for field in fields], required


def _takes_extra(cls: type[Any]) -> bool:
    return is_model(cls) and cls.model_config.get("extra") == "allow"


def _tagged(form: dict[str, Any], names: Names, at: str, depth: int) -> object:
    tag, body = next(iter(form.items()))
    known = [f"${bare}" for bare in (*_PARTS, *_PARSE, "dict", "enum")]
    if len(form) != 1 or tag not in known:
        odd = next(key for key in form if str(key).startswith("$"))
        raise UsageError(
            f"{at} has the key {odd!r}.{suggest(odd, ['$', *known])} A key with '$' is \"$\", the "
            f"name of a message, or the only key and one of {', '.join(known)}. "
            'For a dict with such keys write {"$dict": [[key, value]]}.'
        )
    bare, inner = tag[1:], f"{at}.{tag}"
    try:
        if bare == "enum":
            name, _, member = body.rpartition(".")
            return member_of(names.get(name), member)
        if bare == "dict":
            return {_key(k): from_json(v, names, f"{inner}[{k!r}]", depth + 1) for k, v in body}
        if bare in _PARTS:
            return _PARTS[bare](from_json(list(body), names, inner, depth + 1))
        return _PARSE[bare](body)
    except (TypeError, ValueError, AttributeError, ArithmeticError, LookupError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{inner} cannot be {body!r}: {_why(error)}.") from error


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


def _key(key: object) -> object:
    if type(key) not in (str, int):
        raise TypeError(f"the key {key!r} is neither text nor a whole number")
    return key


def _name(kind: type) -> str:
    noted = registration(kind)
    return noted.name if noted else kind.__name__


def _bare(kind: type) -> str:
    return next(bare for bare, made in _PARTS.items() if issubclass(kind, made))


def _datetime_text(value: datetime) -> str:
    zone = f"[{value.tzinfo.key}]" if isinstance(value.tzinfo, ZoneInfo) else ""
    return value.isoformat() + zone


def _datetime(text: str) -> datetime:
    local, _, zone = text.partition("[")
    moment = datetime.fromisoformat(local)
    if moment.utcoffset() is None:
        raise ValueError("it has no time zone; end it with Z or an offset like +02:00")
    if not zone:
        return moment
    there = moment.replace(tzinfo=ZoneInfo(zone.rstrip("]")))
    for folded in (there, there.replace(fold=1)):  # an hour that a clock shows twice, or never
        if folded.utcoffset() == moment.utcoffset():
            return folded
    return moment.astimezone(there.tzinfo)


_PARTS: dict[str, type[Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_PARSE: dict[str, Callable[[Any], object]] = {
    "float": float,
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "datetime": _datetime,
    "decimal": Decimal,
    "uuid": UUID,
    "ref": lambda text: Ref(str(text)),
    "id": MessageId.parse,
}
_TEXTS: dict[type, tuple[str, Callable[[Any], str]]] = {
    bytes: ("bytes", lambda value: base64.b64encode(value).decode()),
    datetime: ("datetime", _datetime_text),
    Decimal: ("decimal", str),
    UUID: ("uuid", str),
    Ref: ("ref", str),
    MessageId: ("id", str),
}
