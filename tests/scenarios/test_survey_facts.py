"""What `parse_file` says of a file, against figures by hand and against the plain loop."""

from __future__ import annotations

import os
import shutil
import sysconfig
import tempfile
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios import plain_survey
from tests.scenarios.modules import load
from tests.scenarios.plant import (
    DATA,
    UNREAD_IN_GIT,
    UNREADABLE,
    Library,
    planted,
    unprivileged,
)

facts = load("library_survey", "facts")
STDLIB = Path(sysconfig.get_path("stdlib"))
FINE_IN_GIT = sorted(
    path
    for path in plain_survey.list_files(DATA)
    if path not in UNREAD_IN_GIT and path != "nul_byte.py"
)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with planted(tmp_path / "library") as library:
        yield library


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def facts_of(folder: Path, source: bytes) -> Any:
    (folder / "x.py").write_bytes(source)
    return facts.parse_file(str(folder), "x.py")


def figures_of(found: Any) -> dict[str, Any]:
    figures = {name: getattr(found, name) for name in facts.COUNTED}
    return {**figures, "imports": list(found.imports)}


def test_one_of_everything_is_counted_as_by_hand() -> None:
    assert facts.parse_file(str(DATA), "fine.py") == facts.Facts(
        path="fine.py",
        size=(DATA / "fine.py").stat().st_size,
        lines=60,
        functions=10,
        classes=3,
        documentable=14,
        documented=6,
        imports=(
            "collections",
            "fcntl",
            "msvcrt",
            "os",
            "os.path",
            "winreg",
            "xml.dom.minidom",
        ),
    )


@pytest.mark.parametrize("path", FINE_IN_GIT)
def test_a_planted_file_counts_as_in_the_plain_loop(path: str) -> None:
    expected = plain_survey.count(DATA, path)
    assert figures_of(facts.parse_file(str(DATA), path)) == expected


@pytest.mark.parametrize("package", ["asyncio", "email", "json", "logging", "xml"])
def test_a_standard_package_counts_as_in_the_plain_loop(package: str) -> None:
    folder = STDLIB / package
    paths = plain_survey.list_files(folder)
    assert len(paths) >= 3
    for path in paths:
        found = facts.parse_file(str(folder), path)
        assert figures_of(found) == plain_survey.count(folder, path), path


@pytest.mark.parametrize("path", ["fine.py", "cr_only.py", "pkg/plain.py"])
def test_functions_and_classes_are_the_keywords_that_the_tokenizer_sees(path: str) -> None:
    with tokenize.open(DATA / path) as file:
        words = [token.string for token in tokenize.generate_tokens(file.readline)]
    found = facts.parse_file(str(DATA), path)
    assert (found.functions, found.classes) == (words.count("def"), words.count("class"))


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (b"", 0),
        (b"\n", 1),
        (b"x", 1),
        (b"x\ny", 2),
        (b"x\r\ny\r\n", 2),
        (b"x\ry\r", 2),
        (b"x\r\ry\n\r", 4),
        (b"\xef\xbb\xbf", 0),
        (b"\xef\xbb\xbfx", 1),
        ("x = '\x0b\u2028\x85'\n\x0c\n".encode(), 2),
    ],
)
def test_a_line_ends_with_lf_or_crlf_or_cr_and_nothing_else(
    tmp_path: Path, source: bytes, lines: int
) -> None:
    assert facts_of(tmp_path, source).lines == lines


def test_an_empty_file_is_read_and_has_nothing_to_document(tmp_path: Path) -> None:
    found = facts_of(tmp_path, b"")
    assert (found.lines, found.documentable, found.documented) == (0, 0, 0)


@pytest.mark.parametrize(
    ("path", "imports"),
    [
        ("relative_top.py", (".", "..above", "fine")),
        ("pkg/__init__.py", ("pkg", "pkg.sub")),
        ("pkg/sub/__init__.py", ("....", "fine")),
        ("pkg/sub/thing.py", ("...", "os", "pkg", "pkg.plain", "sys")),
    ],
)
def test_relative_imports_name_what_they_resolve_to_inside_the_folder(
    path: str, imports: tuple[str, ...]
) -> None:
    assert facts.parse_file(str(DATA), path).imports == imports


def test_every_planted_file_is_read_or_raises_what_is_wrong_with_it(library: Library) -> None:
    raised = {}
    for path in plain_survey.list_files(library.folder):
        try:
            facts.parse_file(str(library.folder), path)
        except UNREADABLE as error:
            raised[path] = type(error).__name__
    assert raised == library.unread


def test_no_error_names_the_folder_so_reports_of_copies_are_the_same(library: Library) -> None:
    for path in library.unread:
        with pytest.raises(UNREADABLE) as caught:
            facts.parse_file(str(library.folder), path)
        assert str(library.folder) not in str(caught.value)


def test_the_plain_loop_finds_the_same_files_unreadable(library: Library) -> None:
    assert plain_survey.survey(library.folder)["unread"] == list(library.unread)


def test_a_file_without_permission_is_an_error_that_says_so(open_folder: Path) -> None:
    closed = open_folder / "closed.py"
    closed.write_text("x = 1\n")
    closed.chmod(0)
    with unprivileged(), pytest.raises(PermissionError) as caught:
        facts.parse_file(str(open_folder), "closed.py")
    assert str(caught.value) == "[Errno 13] Permission denied: 'closed.py'"


def test_nesting_beyond_the_parser_is_an_error_of_the_file(library: Library) -> None:
    with pytest.raises(RecursionError, match=r"deep_minus\.py is nested too deeply"):
        facts.parse_file(str(library.folder), "deep_minus.py")


def test_a_file_over_the_limit_is_refused_with_the_limit_and_costs_nothing(tmp_path: Path) -> None:
    with (tmp_path / "big.py").open("wb") as file:
        file.truncate(facts.FILE_BYTES_MAX + 1)
    with pytest.raises(ValueError, match=r"big\.py has more than 16,777,216 bytes.*FILE_BYTES_MAX"):
        facts.parse_file(str(tmp_path), "big.py")
    assert facts.parse_tokens(str(tmp_path), "big.py") == 0


def test_warnings_as_errors_do_not_change_what_can_be_read() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert facts.parse_file(str(DATA), "warns.py").lines == 2


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (4000, 1000)])
def test_a_parse_costs_a_quarter_of_the_bytes_rounded_up(
    tmp_path: Path, size: int, tokens: int
) -> None:
    (tmp_path / "x.py").write_bytes(b"#" * size)
    assert facts.parse_tokens(str(tmp_path), "x.py") == tokens


def test_what_is_refused_unread_costs_nothing(library: Library) -> None:
    for path in ("loop_a.py", "dangling.py", "folder.py", "pipe.py"):
        assert facts.parse_tokens(str(library.folder), path) == 0


def test_facts_folded_twice_are_counted_twice() -> None:
    found = facts.parse_file(str(DATA), "pkg/plain.py")
    totals: dict[str, int] = {}
    facts.fold(totals, found)
    once = dict(totals)
    facts.fold(totals, found)
    assert once["files"] == 1
    assert once["lines"] == 4
    assert totals == {name: 2 * number for name, number in once.items()}


def test_facts_of_a_file_are_small_whatever_its_size(tmp_path: Path) -> None:
    body = b"import os\nx = '''" + b"text " * 100_000 + b"'''\n"
    found = facts_of(tmp_path, body)
    assert len(repr(found)) < 300
    assert os.path.getsize(tmp_path / "x.py") == found.size
