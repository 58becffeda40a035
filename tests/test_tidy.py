"""The source is tested like code: sizes, doors, leftovers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.sources import FOLDERS, PACKAGE, Source, imports, none_of, sources

MODULE_LINES_MAX = 300
TEST_MODULE_LINES_MAX = 500  # a test module is a list, not a design
FUNCTION_LINES_MAX = 40
LINE_CHARS_MAX = 100

DOORS = {
    "lmdb": "perdure/ledger/",
    "msgpack": "perdure/ledger/",
    "pykka": "perdure/actors/",
    "click": "perdure/cli/",
    "fsspec": "perdure/runtime/remote.py",
}
LEFTOVERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
NAMES_OF_NOTHING = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "core"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def everything() -> tuple[Source, ...]:
    return sources(*FOLDERS)


def functions(tree: ast.Module) -> Iterator[Function]:
    return (n for n in ast.walk(tree) if isinstance(n, Function))


def lines_without_docstring(function: Function) -> int:
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and ast.get_docstring(function, clean=False) is not None:
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


def calls(source: Source, name: str) -> list[str]:
    """Where `source` calls `name`, written with or without its module."""
    bare = name.rpartition(".")[2]
    from_module = {i.name for i in imports(source.tree) if f"{i.module}.{i.name}" == name}
    wanted = {name, bare} if bare in from_module or bare == name else {name}
    return [
        f"{source.path}:{node.lineno}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in wanted
    ]


def test_there_is_source_to_look_at() -> None:
    assert {source.folder for source in everything()} >= {PACKAGE, "scenarios", "tests"}


def test_a_module_fits_in_the_head() -> None:
    long = [
        f"{s.path}: {len(s.lines)} lines"
        for s in everything()
        if len(s.lines) > (TEST_MODULE_LINES_MAX if s.folder == "tests" else MODULE_LINES_MAX)
    ]
    none_of(long)


def test_a_function_fits_on_a_screen() -> None:
    long = [
        f"{s.path}:{f.lineno} {f.name}: {lines_without_docstring(f)} lines"
        for s in everything()
        for f in functions(s.tree)
        if lines_without_docstring(f) > FUNCTION_LINES_MAX
    ]
    none_of(long)


def test_a_line_is_at_most_100_characters() -> None:
    long = [
        f"{s.path}:{number} {len(line)} characters"
        for s in everything()
        for number, line in enumerate(s.lines, 1)
        if len(line) > LINE_CHARS_MAX
    ]
    none_of(long)


@pytest.mark.parametrize(("library", "door"), DOORS.items())
def test_an_outside_library_has_one_door(library: str, door: str) -> None:
    strays = [
        f"{s.path}:{i.line}"
        for s in sources(PACKAGE)
        for i in imports(s.tree)
        if i.module.partition(".")[0] == library and not s.path.startswith(door)
    ]
    none_of(strays)


def test_a_module_is_named_after_what_it_holds() -> None:
    parts = {s.path: set(s.module.split(".")) for s in everything()}
    none_of([path for path, names in parts.items() if names & NAMES_OF_NOTHING])


def test_nothing_is_left_for_later() -> None:
    left = [
        f"{s.path}:{number}"
        for s in everything()
        for number, line in enumerate(s.lines, 1)
        if LEFTOVERS.search(line)
    ]
    none_of(left)


def test_only_the_cli_prints() -> None:
    prints = [c for s in sources(PACKAGE) for c in calls(s, "print")]
    none_of([c for c in prints if not c.startswith("perdure/cli/")])


def test_no_test_sleeps() -> None:
    none_of([c for s in sources("tests") for c in calls(s, "time.sleep")])


def test_every_test_has_a_name_of_its_own() -> None:
    """A second definition of a name hides the first, which then never runs."""
    hidden = [
        f"{s.path}:{f.lineno} {f.name}"
        for s in sources("tests")
        for scope in ast.walk(s.tree)
        if isinstance(scope, ast.Module | ast.ClassDef)
        for position, f in enumerate(scope.body)
        if isinstance(f, Function)
        and f.name.startswith("test_")
        and any(isinstance(g, Function) and g.name == f.name for g in scope.body[:position])
    ]
    none_of(hidden)


def test_every_folder_of_tests_is_a_package() -> None:
    """Else two modules of one name in different folders cannot both be collected."""
    paths = {s.path for s in sources("tests")}
    folders = {path.rpartition("/")[0] for path in paths}
    none_of([f for f in sorted(folders) if f"{f}/__init__.py" not in paths])
