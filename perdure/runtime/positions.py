"""Where each key of a TOML document was written; pure. `tomllib` reads values and drops places."""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]
"""A way into the document: `("tree", "children", 0, "id")`."""

Place = tuple[int, int]
"""Line and column, both counted from 1, the column in characters."""

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")  # numbers, booleans, dates: all that is no string


def places(source: str) -> dict[Path, Place]:
    """The place of every key, table header and array element of a document that `tomllib` accepts.

    A key of an array of tables is found under the number of its table. What `tomllib` refuses has
    no places: the answer for it is not defined.

    >>> places('format = 1\\n[tree]\\n  id = "a"')[("tree", "id")]
    (3, 3)
    """
    return _Scan(source.replace("\r\n", "\n")).document()


class _Scan:
    """One walk over the text, `at` being where it is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.line_start = 0  # and how far lines are counted already
        self.found: dict[Path, Place] = {}
        self.tables: dict[Path, int] = {}  # arrays of tables: how many so far

    def document(self) -> dict[Path, Place]:
        table: Path = ()
        while self.skip(_BLANK) < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
        return self.found

    def header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the table that the keys after it are in."""
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        table: Path = ()
        keys = self.key()
        for number, (name, place) in enumerate(keys, start=1):
            table = (*table, name)
            if many and number == len(keys):
                self.tables[table] = self.tables.get(table, 0) + 1
            self.found.setdefault(table, place)
            if table in self.tables:
                table = (*table, self.tables[table] - 1)
                self.found.setdefault(table, place)
        self.at += 2 if many else 1
        return table

    def pair(self, table: Path) -> None:
        """`a.b = value`"""
        for name, place in self.key():
            table = (*table, name)
            self.found.setdefault(table, place)
        self.at += 1  # the equals sign
        self.value(table)

    def key(self) -> list[tuple[str, Place]]:
        """The parts of a dotted key, each with its place."""
        parts: list[tuple[str, Place]] = []
        while True:
            self.skip(_SPACE)
            place = self.place()
            start = self.at
            quoted = self.text[start] in "\"'"
            self.skip(_STRING if quoted else _BARE_KEY)
            name = self.text[start : self.at]
            parts.append((tomllib.loads(f"k={name}")["k"] if quoted else name, place))
            self.skip(_SPACE)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def value(self, path: Path) -> None:
        self.skip(_SPACE)
        match self.text[self.at]:
            case "[":
                self.array(path)
            case "{":
                self.inline(path)
            case '"' | "'":
                self.skip(_STRING)
            case _:
                self.skip(_SCALAR)

    def array(self, path: Path) -> None:
        self.at += 1
        number = 0
        while self.text[self.skip(_BLANK)] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.found[(*path, number)] = self.place()
            self.value((*path, number))
            number += 1
        self.at += 1

    def inline(self, path: Path) -> None:
        self.at += 1
        while self.text[self.skip(_BLANK)] != "}":
            if self.text[self.at] == ",":
                self.at += 1
            else:
                self.pair(path)
        self.at += 1

    def skip(self, pattern: re.Pattern[str]) -> int:
        """Go to the end of `pattern`, which may be empty; where that is."""
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return self.at

    def place(self) -> Place:
        newlines = self.text.count("\n", self.line_start, self.at)
        if newlines:
            self.line += newlines
            self.line_start = self.text.rfind("\n", 0, self.at) + 1
        return self.line, self.at - self.line_start + 1
