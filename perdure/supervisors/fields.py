"""The fields of specs, which are frozen dataclasses: what they are called, what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

_names: dict[type[Any], tuple[str, ...]] = {}


def names_of(kind: type[Any]) -> tuple[str, ...]:
    """The names of the fields of a class, in order; asked for so often that they are kept."""
    names = _names.get(kind)
    if names is None:
        names = _names[kind] = tuple(each.name for each in fields(kind))
    return names


def fields_of(spec: Any) -> dict[str, Any]:
    """The fields of a spec by their names."""
    return {name: getattr(spec, name) for name in names_of(type(spec))}


def store(spec: Any, values: Mapping[str, Any]) -> None:
    """Give a spec, which is frozen, its checked values."""
    for name, value in values.items():
        object.__setattr__(spec, name, value)
