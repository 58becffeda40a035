"""How two values in JSON form differ, part by part; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Absent:
    """What is in the place of a part that is not there."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = Absent()


class Difference(NamedTuple):
    """One part that differs; `path` is written as in Python: `lines['a.txt'][3]`."""

    path: str
    before: Any
    after: Any


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """The smallest parts that differ, in order; nothing for equal values.

    Of lists, what they have in common at both ends is left out. Elements of sets have no place:
    their path is the set's.

    >>> [str(each.path) for each in differences({"a": [1, 2]}, {"a": [1, 2, 3], "b": None})]
    ["['a'][2]", "['b']"]
    """
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_dicts(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, path)
    elif not _same(before, after):
        yield Difference(path, before, after)


def _of_dicts(before: dict[str, Any], after: dict[str, Any], path: str) -> Iterator[Difference]:
    if _is_dict(before) and _is_dict(after):
        yield from _of_pairs(_pairs(before), _pairs(after), path)
        return
    if _tags(before) != _tags(after):
        yield Difference(path, before, after)
        return
    for tag in ("$set", "$frozenset"):
        if tag in after:
            old, new = ({repr(each): each for each in form[tag]} for form in (before, after))
            yield from (Difference(path, old[each], ABSENT) for each in old if each not in new)
            yield from (Difference(path, ABSENT, new[each]) for each in new if each not in old)
            return
    if "$tuple" in after:
        yield from differences(before["$tuple"], after["$tuple"], path)
        return
    for name in dict.fromkeys((*before, *after)):
        part = f"{path}.{name}"
        yield from differences(before.get(name, ABSENT), after.get(name, ABSENT), part)


def _tags(form: dict[str, Any]) -> Any:
    """What kind of thing an object stands for: the name of a message, or a `$` form."""
    return form.get("$") or [key for key in form if key.startswith("$")]


def _is_dict(form: dict[str, Any]) -> bool:
    """Whether an object stands for a dict, in either of its two forms."""
    return "$dict" in form or not _tags(form)


def _pairs(form: dict[str, Any]) -> dict[str, Any]:
    """A dict in either form, its keys as Python writes them."""
    pairs = form["$dict"] if "$dict" in form else form.items()
    return {repr(key): value for key, value in pairs}


def _of_pairs(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[Difference]:
    for name in dict.fromkeys((*old, *new)):
        yield from differences(old.get(name, ABSENT), new.get(name, ABSENT), f"{path}[{name}]")


def _of_lists(before: list[Any], after: list[Any], path: str) -> Iterator[Difference]:
    shorter = min(len(before), len(after))
    start = next((i for i in range(shorter) if not _same(before[i], after[i])), shorter)
    end = 0
    while end < shorter - start and _same(before[-1 - end], after[-1 - end]):
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    for i in range(max(len(old), len(new))):
        was = old[i] if i < len(old) else ABSENT
        then = new[i] if i < len(new) else ABSENT
        yield from differences(was, then, f"{path}[{start + i}]")


def _same(one: Any, other: Any) -> bool:
    """Equal, and of one type all through: 1 is not True."""
    return bool(one == other) and repr(one) == repr(other)
