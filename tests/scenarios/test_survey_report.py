"""The report and the index: every number against the plain loop, and the same bytes each time."""

from __future__ import annotations

import json
import random
import sysconfig
from collections.abc import Iterable, Iterator
from errno import ELOOP
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios import plain_survey
from tests.scenarios.modules import load
from tests.scenarios.plant import UNREADABLE, planted

facts = load("library_survey", "facts")
report = load("library_survey", "report")
sources = load("library_survey", "sources")
STDLIB = Path(sysconfig.get_path("stdlib"))


def survey_of(folder: Path, order: Iterable[str] | None = None) -> Any:
    """What the actors would hand to the editor, having read the files in `order`."""
    listed = sources.list_sources(str(folder))
    files: list[Any] = []
    totals: dict[str, int] = {}
    unread: dict[str, str] = {}
    for path in listed.files if order is None else order:
        try:
            found = facts.parse_file(str(folder), path)
        except UNREADABLE as error:
            unread[path] = f"{type(error).__name__}: {error}"
        else:
            files.append(found)
            facts.fold(totals, found)
    return report.Survey(
        files=tuple(sorted(files, key=lambda found: found.path)),
        totals=totals,
        unread=unread,
        skipped=listed.skipped,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with planted(tmp_path_factory.mktemp("survey") / "library") as library:
        yield library.folder


def test_every_number_of_the_report_is_that_of_the_plain_loop(folder: Path) -> None:
    shown = plain_survey.report_figures(report.render_report(survey_of(folder)))
    assert shown == plain_survey.figures(plain_survey.survey(folder))
    assert shown["found"] > 30
    assert len(shown["packages"]) >= 3


def test_the_report_is_right_about_packages_of_the_standard_library(tmp_path: Path) -> None:
    for package in ("asyncio", "email", "importlib", "json", "logging", "unittest", "xml"):
        (tmp_path / package).mkdir()
        for path in plain_survey.list_files(STDLIB / package):
            copy = tmp_path / package / path
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes((STDLIB / package / path).read_bytes())
    shown = plain_survey.report_figures(report.render_report(survey_of(tmp_path)))
    assert shown == plain_survey.figures(plain_survey.survey(tmp_path))
    assert len(shown["largest"]) == report.LARGEST_ROWS
    assert len(shown["imported"]) == report.IMPORTED_ROWS


def test_the_index_holds_the_facts_of_the_plain_loop(folder: Path) -> None:
    index = json.loads(report.render_index(survey_of(folder)))
    plain = plain_survey.survey(folder)
    assert index["files"] == plain["files"]
    assert sorted(index["unread"]) == plain["unread"]
    assert index["totals"] == {
        "files": len(plain["files"]),
        **{n: sum(f[n] for f in plain["files"].values()) for n in plain_survey.COUNTED},
    }


def test_the_order_in_which_files_were_read_changes_no_byte(folder: Path) -> None:
    first = survey_of(folder)
    order = plain_survey.list_files(folder)
    random.Random(1).shuffle(order)
    second = survey_of(folder, order)
    assert report.render_index(first) == report.render_index(second)
    assert report.render_report(first) == report.render_report(second)


def test_neither_artifact_names_the_folder(folder: Path) -> None:
    survey = survey_of(folder)
    assert str(folder) not in report.render_index(survey) + report.render_report(survey)


def test_what_could_not_be_read_is_listed_with_its_reason(folder: Path) -> None:
    text = report.render_report(survey_of(folder))
    assert "`SyntaxError: unknown encoding: no-such-codec" in text
    assert f"`OSError: [Errno {ELOOP}] Too many levels of symbolic links: 'loop_a.py'`" in text
    assert "| `linked_folder/` " in text


def test_all_columns_of_a_table_line_up(folder: Path) -> None:
    text = report.render_report(survey_of(folder))
    for table in text.split("\n\n"):
        widths = {len(line) for line in table.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, table


def test_a_survey_of_nothing_reads_well() -> None:
    text = report.render_report(report.Survey(files=(), totals={}, unread={}, skipped={}))
    assert plain_survey.report_figures(text)["totals"]["lines"] == 0
    assert "Nothing: every file was read." in text
    assert "What was not entered" not in text


def test_a_file_name_cannot_break_out_of_its_table() -> None:
    survey = report.Survey((), {}, {"a|b\n## c`d.py": "ValueError: |"}, {})
    rows = [line for line in report.render_report(survey).splitlines() if "ValueError" in line]
    assert rows == ["| `` a\\|b\\n## c`d.py `` | `ValueError: \\|` |"]


def test_packages_beyond_the_table_are_announced() -> None:
    found = [facts.Facts(f"p{i:02}/x.py", 1, 1, 0, 0, 0, 0, ()) for i in range(62)]
    text = report.render_report(report.Survey(tuple(found), {}, {}, {}))
    assert "and 2 smaller packages: see `index.json`." in text
