"""What `--set` may change: a scenario's settings, and `${name}` where the tree uses them; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from perdure.errors import ScenarioError
from perdure.ledger.messages import suggest
from perdure.runtime import positions
from perdure.runtime.document import Fail, Table, Value

Setting = str | int | float | bool

NUMBER = "i"
"""The name under which a child made by `count` finds its own number, from 1."""

_USE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")  # `$${` is a `${` that is meant as written


def declared(table: Table) -> dict[str, Setting]:
    """The settings as the scenario has them: strings, integers, floats and booleans."""
    for name in table.values:
        if name == NUMBER:
            text = "'i' cannot be a setting: ${i} is the number of a child made by count."
            raise table.error(name, text)
        if not re.fullmatch(r"\w+", name):
            text = f"{name!r} cannot be a setting: ${{name}} takes letters, digits and '_'."
            raise table.error(name, text)
        table.take(name, "a string", "a number", "true or false")
    return dict(table.values)


def overridden(settings: Mapping[str, Setting], texts: Sequence[str]) -> dict[str, Setting]:
    """`settings` changed by `name=value` texts, each read as the type of the default it replaces.

    >>> overridden({"readers": 2, "folder": "sample"}, ["readers=8"])
    {'readers': 8, 'folder': 'sample'}
    """
    changed = dict(settings)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ScenarioError(f"--set {text!r} has no '='. Write --set name=value.")
        if name not in settings:
            raise ScenarioError(f"--set {text}: {_unknown(name, settings)}")
        changed[name] = _read(name, value, settings[name])
    return changed


def filled(
    value: Value, fail: Fail, known: Mapping[str, Setting], path: positions.Path = ()
) -> Value:
    """`value` with each `${name}` in its strings replaced, in arrays and tables too.

    A string that is nothing but `${name}` becomes the setting itself, with its type; inside a
    longer one it becomes text. `$${` stands for `${`. `fail` makes the error for an unknown name.
    """
    match value:
        case str():
            return _filled_text(value, known, lambda text: fail(path, text))
        case list():
            return [filled(each, fail, known, (*path, at)) for at, each in enumerate(value)]
        case dict():
            return {key: filled(each, fail, known, (*path, key)) for key, each in value.items()}
        case _:
            return value


def _filled_text(
    text: str, known: Mapping[str, Setting], fail: Callable[[str], ScenarioError]
) -> Setting:
    def setting(use: re.Match[str]) -> Setting:
        if use[1] not in known:
            raise fail(f"${{{use[1]}}}: {_unknown(use[1], known)}")
        return known[use[1]]

    whole = _USE.fullmatch(text)
    if whole and whole[1] is not None:
        return setting(whole)
    return _USE.sub(lambda use: "${" if use[1] is None else _written(setting(use)), text)


def _written(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(name: str, text: str, default: Setting) -> Setting:
    """`text` as the type of `default`."""
    if isinstance(default, str):
        return text
    wanted, read = _READERS[type(default)]
    try:
        return read(text)
    except (KeyError, ValueError):
        example = _written(default)
        text = f"--set {name}={text}: {name} must be {wanted}, like {example}."
        raise ScenarioError(text) from None


def _integer(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value


_READERS: dict[type, tuple[str, Callable[[str], Setting]]] = {
    bool: ("true or false", {"true": True, "false": False}.__getitem__),
    int: ("an integer of at most 64 bits", _integer),
    float: ("a number", float),
}


def _unknown(name: str, known: Mapping[str, Setting]) -> str:
    listed = ", ".join(f"{each} = {_written(value)}" for each, value in known.items())
    there = f"The settings are: {listed}." if listed else "This scenario has no [settings]."
    return f"there is no setting {name!r}.{suggest(name, known)} {there}"
