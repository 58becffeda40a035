"""The project's own source as data, for the tests that look at it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PACKAGE = "perdure"
FOLDERS = (PACKAGE, "scenarios", "benchmarks", "tests")
NOT_OURS = (
    ROOT / "tests" / "data",  # faults on purpose
    ROOT / PACKAGE / "runtime" / "template",  # a user's project, with a user's imports
)


class Source(NamedTuple):
    """One Python file: its path from the root of the project, its lines, its tree."""

    path: str
    lines: list[str]
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The first folder of the path."""
        return self.path.partition("/")[0]

    @property
    def module(self) -> str:
        """The dotted name that imports it."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class Import(NamedTuple):
    """One imported name: `module` as written, `name` for `from module import name`."""

    line: int
    module: str
    name: str | None


def read(path: Path, root: Path = ROOT) -> Source:
    """The source at `path`; raises `SyntaxError` that names the file."""
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(root).as_posix(), text.splitlines(), ast.parse(text, str(path)))


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Every Python file below `folders`, sorted by path, without what is not ours."""
    paths = sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))
    return tuple(read(p) for p in paths if not set(NOT_OURS) & set(p.parents))


def none_of(findings: list[str]) -> None:
    """Fail with the whole list of `findings`, one a line, if there is one."""
    if findings:
        raise AssertionError("\n".join(("", *findings)))


def imports(tree: ast.AST, *, typing_too: bool = True) -> Iterator[Import]:
    """What `tree` imports, wherever in it; without `typing_too` only what runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import(node.lineno, node.module or "", a.name) for a in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            if typing_too:
                yield from imports(node)
            else:
                yield from imports(ast.Module(body=node.orelse, type_ignores=[]))
        else:
            yield from imports(node, typing_too=typing_too)
