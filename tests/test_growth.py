"""Ledgers grow, and their costs are told apart; how large they are, no test asks."""

from __future__ import annotations

import doctest
import json
import shutil
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import axes, growth, growth_page, page, plot, slopes
from benchmarks.axes import Axis
from perdure import Run
from perdure.ledger.keys import Table
from perdure.ledger.verify import verify_store

SIZES = {"agents": [10, 40], "records": [3_500, 4_500]}
AGENTS, RECORDS = axes.AXES


def quick(axis: Axis) -> Axis:
    """The same works, shorter."""
    return axis._replace(jobs=tuple(job._replace(warm=1_000, turns=1_000) for job in axis.jobs))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is measured of small ledgers, in this process."""
    directory = tmp_path_factory.mktemp("growth")
    by_name = {axis.name: quick(axis) for axis in axes.AXES}

    def here(ledger: Path, copy: Path, *words: Any) -> dict[str, Any]:
        shutil.copytree(ledger, copy)
        _, _, axis, size = words
        found = growth.once(copy, by_name[axis], size)
        shutil.rmtree(copy)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growth, "on_a_copy", here)
        return growth.measure(directory, SIZES, repeats=2, tell=lambda text: None)


def test_each_work_is_measured_at_each_size(results: dict[str, Any]) -> None:
    for axis in axes.AXES:
        found = results[axis.name]
        assert found["sizes"] == SIZES[axis.name]
        assert [len(laps) for laps in found["laps"]] == [2, 2]
        for lap in (lap for laps in found["laps"] for lap in laps):
            assert lap.keys() - {"bare"} == {"resume", "file", *(job.name for job in axis.jobs)}
            assert all(lap[job.name]["cpu"] > 0 for job in axis.jobs)
            assert all(lap[job.name]["pages"] > 0 for job in axis.jobs)


def test_what_the_trees_of_pages_cost_is_told_apart_for_agents(results: dict[str, Any]) -> None:
    for lap in (lap for laps in results["agents"]["laps"] for lap in laps):
        assert lap["bare"].keys() == {"read", "write"}
        assert min(lap["bare"].values()) > 0


def test_agents_that_stay_loaded_are_built_once(results: dict[str, Any]) -> None:
    for lap in results["agents"]["laps"][1]:
        assert lap["hot"]["loads"] == lap["any"]["loads"] == 0


def test_the_figures_become_a_table_for_each_axis(results: dict[str, Any]) -> None:
    text = growth_page.table(results)
    assert "| agents | 10 | 40 | slope | tenfold |" in text
    assert "| records behind it | 3,500 | 4,500 | slope | tenfold |" in text
    for job in (job for axis in axes.AXES for job in axis.jobs):
        assert job.title in text
    widths = {line.count("|") for line in text.splitlines() if line}
    assert widths == {6}


def test_the_figures_become_a_picture_with_units_on_its_axes(
    results: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    once, twice = tmp_path / "img" / "once.svg", tmp_path / "img" / "twice.svg"
    for picture in (once, twice):
        plot.draw(growth_page.panels(results), picture)
    words = "".join(ElementTree.parse(once).getroot().itertext())
    for text in ("agents", "records behind it", "CPU time per turn", AGENTS.jobs[0].title):
        assert text in words
    assert once.read_bytes() == twice.read_bytes()


def test_who_has_nothing_to_draw_with_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["growth", "nowhere", "--write"])
    with pytest.raises(SystemExit, match=r"pip install 'perdure\[bench\]'"):
        growth.main()


def test_a_ledger_of_agents_grows_from_the_one_before_it_and_is_whole(tmp_path: Path) -> None:
    small, large = growth.grown(tmp_path, AGENTS, [10, 40], lambda text: None)
    assert verify_store(large).counts[Table.ACTOR] == verify_store(small).counts[Table.ACTOR] + 30
    before = large.stat().st_mtime_ns
    assert list(growth.grown(tmp_path, AGENTS, [10, 40], lambda text: None)) == [small, large]
    assert large.stat().st_mtime_ns == before


def test_growth_that_was_cut_short_goes_on_where_it_was(tmp_path: Path) -> None:
    growth.grow(tmp_path / "agents-40.unfinished", AGENTS, 25)
    (ledger,) = growth.grown(tmp_path, AGENTS, [40], lambda text: None)
    with Run.resume(ledger, program=axes.herd()) as run:
        assert run.ask(f"{axes.SPAWNER}/a24", axes.Report()) == 1
        assert run.ask(f"{axes.SPAWNER}/a39", axes.Report()) == 1
        assert not run.kernel.book.find(f"{axes.SPAWNER}/a40")


def test_a_page_has_a_place_for_the_growth_table_and_it_is_that_of_the_results() -> None:
    found = json.loads(growth.RESULTS.read_text())
    text = page.PAGE.read_text()
    assert growth_page.table(found) in text
    assert "| new |" in page.with_table(text, "| new |", growth_page.PLACE)
    assert growth.PICTURE.relative_to(page.PAGE.parent).as_posix() in text


def test_the_examples_of_slopes_run() -> None:
    failed, tried = doctest.testmod(slopes)
    assert (failed, tried > 0) == (0, True)


def test_a_cost_in_proportion_has_slope_one_and_a_square_slope_two() -> None:
    assert slopes.slope([1, 10, 100], [2.0, 20.0, 200.0]) == pytest.approx(1.0)
    assert slopes.slope([1, 10, 100], [2.0, 200.0, 20_000.0]) == pytest.approx(2.0)


def test_a_level_more_for_each_tenfold_is_the_same_each_time() -> None:
    assert slopes.per_tenfold([1, 10, 100], [5.0, 6.0, 7.0]) == pytest.approx(1.0)
    assert slopes.per_tenfold([1, 10, 100], [5.0, 5.0, 5.0]) == pytest.approx(0.0)
