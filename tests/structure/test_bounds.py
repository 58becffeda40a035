"""What fixed work costs, counted: transactions, fsyncs, rows, bytes, calls. No test asks how long.

A figure above its bound is a price that somebody has put up; one far below has a bound that no
longer holds anything. Both have to be said: `python -m tests.structure.counts --write`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from benchmarks.page import PAGE, with_table
from perdure.simulation.hands import Hands
from tests.sources import ROOT, none_of
from tests.structure import bounds, counts, profile
from tests.structure.bounds import COLUMNS, PLACE, WRITE, Bounds, broken
from tests.structure.counts import Counted, count
from tests.structure.flushes import flushes
from tests.structure.meters import Calls
from tests.structure.workloads import WORKLOADS

TOGETHER = ["asks", "crowd", "spawns", "falls"]  # many actors, tasks and sets at once
OLD = Bounds("3.11", {"asks": dict.fromkeys(COLUMNS, 1_000)})


@cache
def counted(name: str) -> Counted:
    return count(name)


@pytest.mark.parametrize("name", WORKLOADS)
def test_work_costs_what_its_bounds_say(name: str) -> None:
    none_of(list(broken(name, counted(name).figures, bounds.read())))


def test_each_transaction_flushes_the_disk_twice_and_nothing_else_does() -> None:
    """Once for the pages, once for the meta page that makes them count."""
    flushed, held = flushes(list(WORKLOADS)), bounds.read()
    for name, found in flushed.items():
        none_of(list(broken(name, {"fsyncs": found.fsyncs}, held)))
        assert found.fsyncs == 2 * found.transactions
    for name in TOGETHER:
        assert flushed[name].transactions == counted(name).figures["transactions"]


def test_counts_are_the_same_in_every_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.structure.counts", "--json", *reversed(TOGETHER)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == {name: counted(name).figures for name in TOGETHER}


def test_the_profile_has_every_call_that_is_counted() -> None:
    figures, calls = counted("tells")
    table = list(profile.lines("tells", calls, top=1_000))[2:]
    found = sum(int(line.split()[0].replace(",", "")) for line in table)
    assert found == figures["calls"] + figures["library_calls"]


def test_a_call_of_the_machine_or_of_the_actors_at_work_is_not_counted() -> None:
    calls = Calls()
    calls.of = [(each.__code__, 1, 1) for each in (count, none_of, Hands.step)]
    assert not calls.figures().total()


def test_the_first_call_too_many_says_of_what_how_many_and_where_to_look() -> None:
    [said] = broken("asks", {"calls": 1_001}, OLD)
    assert said.startswith("asks: 1,001 calls of perdure's functions, and its bound is 1,000: 1 m")
    assert "0.005 a question" in said
    assert "`python -m tests.structure.profile asks`" in said
    assert WRITE in said


def test_a_transaction_too_many_is_not_looked_for_among_calls() -> None:
    [said] = broken("asks", {"transactions": 1_001}, OLD)
    assert "profile" not in said


def test_a_bound_far_above_its_figure_is_to_be_lowered() -> None:
    assert not list(broken("asks", {"rows": 900}, OLD))
    [said] = broken("asks", {"rows": 899}, OLD)
    assert said == (
        "asks: 899 rows put or deleted, 10% below the bound of 1,000, which holds nothing any "
        f"more. Lower it: `{WRITE}`."
    )


def test_another_python_is_held_to_no_more_calls_of_our_own_and_to_nothing_else_of_calls() -> None:
    more, less = dict.fromkeys(COLUMNS, 1_001), dict.fromkeys(COLUMNS, 1)
    assert len(list(broken("asks", more, OLD, "3.11"))) == len(COLUMNS)
    assert len(list(broken("asks", less, OLD, "3.11"))) == len(COLUMNS)
    others = bounds.OF_A_VERSION
    assert len(list(broken("asks", more, OLD, "3.14"))) == len(COLUMNS) - len(others)
    assert len(list(broken("asks", less, OLD, "3.14"))) == len(COLUMNS) - len(others) - 1


def test_work_without_bounds_is_found() -> None:
    assert list(broken("ring", {"calls": 1}, OLD)) == [
        f"ring has no bounds: `{WRITE}` takes what it costs today."
    ]


def test_what_is_written_is_the_figures_of_today_and_the_bounds_of_what_was_not_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, page = tmp_path / "bounds.toml", tmp_path / "page.md"
    page.write_text(f"above\n{PLACE.begin}\nold\n{PLACE.end}\nbelow\n")
    monkeypatch.setattr(counts, "FILE", file)
    monkeypatch.setattr(counts, "PAGE", page)
    found = {"ring": dict.fromkeys(COLUMNS, 6_000)}
    counts.write(found, OLD)
    assert tomllib.loads(file.read_text()) == {"python": bounds.VERSION, **found, **OLD.of}
    assert page.read_text().count("| 3,000 x turn |" + " 2 |" * len(COLUMNS)) == 1
    assert page.read_text().startswith("above\n")
    assert "calls of perdure's functions; its bound is 1,000" in "\n".join(
        counts.report({"asks": dict.fromkeys(COLUMNS, 7)}, OLD)
    )


def test_the_file_and_the_page_are_as_they_are_written() -> None:
    held = bounds.read()
    assert list(held.of) == list(WORKLOADS)
    assert bounds.FILE.read_text(encoding="utf-8") == bounds.text_of(held)
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page, bounds.table(held), PLACE)
