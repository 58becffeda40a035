"""A TOML file as it was written: tables read key by key, and errors that name line and column."""

from __future__ import annotations

import codecs
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from perdure.errors import ScenarioError, UsageError
from perdure.ledger.messages import suggest
from perdure.runtime import positions
from perdure.runtime.positions import Place

Value = Any  # what tomllib reads
Fail = Callable[[positions.Path, str], ScenarioError]
Fill = Callable[[Value, Fail], Value]
"""Makes a value of what is written; `fail` makes an error at a path inside it."""

_TOML_ERROR = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_QUOTED = re.compile(r"(?<!\w)'[^']*'")  # what a user wrote, in the text of an error
_BOOLEAN = "true or false"
_KINDS: dict[str, tuple[type, ...]] = {
    "a string": (str,),
    "an integer": (int,),
    "a number": (int, float),
    _BOOLEAN: (bool,),
    "a table": (dict,),
    "an array": (list,),
}


class Document:
    """The values of one TOML file, and where they are written.

    Raises `ScenarioError` for a file that cannot be read, and for one that is no TOML.
    """

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        self.source = source
        try:
            self.values: dict[str, Value] = tomllib.loads(source)
        except tomllib.TOMLDecodeError as error:
            raise self.broken(str(error)) from None
        except RecursionError:
            raise self.at((1, 1), "arrays or tables are nested too deeply to be read.") from None

    @classmethod
    def read(cls, path: Path) -> Document:
        try:
            data = path.read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ScenarioError(f"{shown(path)} cannot be read: {reason}.") from None
        data = data.removeprefix(codecs.BOM_UTF8)
        try:
            return cls(path, data.decode())
        except UnicodeDecodeError as error:
            before = data[: error.start].decode()
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            byte = f"byte 0x{data[error.start]:02x}"
            raise ScenarioError(
                f"{shown(path)}:{line}:{column}: {byte} is not UTF-8, which TOML is written in."
            ) from None

    def error(self, path: positions.Path, text: str) -> ScenarioError:
        """`text` as an error at the place of `path`, or of what it is in."""
        return self.at(self.place(path), text)

    def place(self, path: positions.Path) -> Place:
        """Where `path` is written, or what it is in; line 1 when it is nowhere."""
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path, (1, 1))

    def at(self, place: Place, text: str) -> ScenarioError:
        return ScenarioError(f"{shown(self.path)}:{place[0]}:{place[1]}: {text}")

    def broken(self, text: str) -> ScenarioError:
        """What `tomllib` said, with its place in front."""
        found = _TOML_ERROR.search(text)
        if found and found[1]:
            place = int(found[1]), int(found[2])
        else:
            lines = self.source.rstrip("\n").split("\n")
            place = len(lines), len(lines[-1]) + 1
        says = text[: found.start()] if found else text
        return self.at(place, f"this is not TOML: {says}.")

    @cached_property
    def _places(self) -> dict[positions.Path, Place]:
        return positions.places(self.source)


class Table:
    """One table of a document; each wrong key, type or gap in it is a `ScenarioError` at its place.

    `what` names it in errors ("a supervisor"), `keys` are all it may have, `fill` is applied to
    each value before its type is checked.
    """

    def __init__(
        self,
        document: Document,
        path: positions.Path,
        what: str,
        keys: Sequence[str] | None,
        fill: Fill = lambda value, fail: value,
    ) -> None:
        self.document = document
        self.path = path
        self.what = what
        self.fill = fill
        self.values = _look_up(document, path)
        if not isinstance(self.values, dict):
            got = _describe(self.values)
            raise document.error(path, f"{_name(path)} is {got} and must be a table.")
        for key in self.values:
            if keys is not None and key not in keys:
                raise self.unknown(key, keys)

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def unknown(self, key: str, keys: Sequence[str]) -> ScenarioError:
        guess = suggest(key, keys)
        text = f"{key!r} is no key of {self.what}.{guess} Keys it may have: {', '.join(keys)}."
        return self.error(key, text)

    def error(self, key: str | None, text: str) -> ScenarioError:
        """`text` at the place of `key`, or of the table."""
        return self.document.error((*self.path, key) if key else self.path, text)

    def blame(self, error: UsageError) -> NoReturn:
        """Raise another's error here: at the first key that its text names, or at the table."""
        words = re.findall(r"\w+", _QUOTED.sub("", str(error)))
        raise self.error(next((w for w in words if w in self.values), None), str(error)) from None

    def take(self, key: str, *kinds: str) -> Value:
        """The value of `key`, of one of these kinds; None when there is none."""
        if key not in self.values:
            return None

        def fail(inner: positions.Path, text: str) -> ScenarioError:
            return self.document.error((*self.path, key, *inner), text)

        value = self.fill(self.values[key], fail)
        for kind in kinds:
            if isinstance(value, _KINDS[kind]) and isinstance(value, bool) == (kind == _BOOLEAN):
                return value
        wanted = " or ".join(kinds)
        raise self.error(key, f"{key} is {_describe(value)} and must be {wanted}.")

    def need(self, key: str, *kinds: str) -> Value:
        """The value of a `key` that must be there."""
        if key not in self.values:
            raise self.error(None, f"{self.what} needs the key {key!r}, and has none.")
        return self.take(key, *kinds)

    def tables(self, key: str) -> list[positions.Path]:
        """The paths of an array of tables; none when `key` is not there."""
        rows = self.values.get(key, [])
        if not isinstance(rows, list):
            header = f"[[{_name((*self.path, key))}]]"
            got = _describe(rows)
            raise self.error(key, f"{key} is {got} and must be an array of tables: {header}.")
        return [(*self.path, key, number) for number in range(len(rows))]


def shown(path: Path) -> str:
    """`path` as people write it: relative when it is below the working directory."""
    text = os.path.abspath(path)
    here = os.getcwd()
    return os.path.relpath(text, here) if text.startswith(here.rstrip("/") + "/") else text


def _look_up(document: Document, path: positions.Path) -> Value:
    value: Value = document.values
    for step in path:
        value = value[step]
    return value


def _name(path: positions.Path) -> str:
    return ".".join(step for step in path if isinstance(step, str))


def _describe(value: Value) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"the string {value[:60]!r}"
        case int() | float():
            return f"the number {value}"
        case Mapping():
            return "a table"
        case list():
            return "an array"
        case _:
            return f"a {type(value).__name__}"
