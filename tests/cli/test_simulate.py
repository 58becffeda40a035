"""`perdure simulate world`: what it says of worlds, and of one in which something breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from perdure.cli.main import main
from perdure.simulation import world
from perdure.simulation.world import Outcome

SMALL = "14"  # a seed whose world is soon over


def test_worlds_are_told_with_what_was_in_them() -> None:
    ended = CliRunner().invoke(main, ["simulate", "world", "--seed", SMALL, "--seeds", "2"])
    assert ended.exit_code == 0, ended.output
    assert "2 worlds, nothing violated" in ended.output
    assert "hours a second" in ended.output


def test_as_json_a_world_is_one_object_and_the_same_each_time() -> None:
    args = ["simulate", "world", "--seed", SMALL, "--json"]
    one, other = (json.loads(CliRunner().invoke(main, args).output) for _ in range(2))
    assert (one["format"], one["ok"], one["violations"]) == (1, True, [])
    assert one["digest"] == other["digest"]
    assert one["counts"]["Turn"] == other["counts"]["Turn"] > 0


def test_a_world_is_looked_at_up_to_an_event(tmp_path: Path) -> None:
    file = tmp_path / "trace.txt"
    args = ["simulate", "world", "--seed", SMALL, "--until", "8", "--trace", str(file)]
    ended = CliRunner().invoke(main, args)
    assert ended.exit_code == 0, ended.output
    assert file.read_text().splitlines()[0].endswith("process 1 begins")
    assert "     8 " in ended.output


def test_what_breaks_is_named_with_the_command_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(seed: int, hours: float, until: int) -> Outcome:
        return Outcome(seed, ["G2: twice"], "d", 9, 0.1, 0.1, lines=["a line"])

    monkeypatch.setattr(world, "simulate", broken)
    args: list[Any] = ["simulate", "world", "--seed", "34", "--seeds", "5", "--hours", "2"]
    ended = CliRunner().invoke(main, args)
    assert ended.exit_code == 1
    assert "seed 34, at event 9" in ended.output
    assert "G2: twice" in ended.output
    assert "perdure simulate world --seed 34 --hours 2 --trace world-34.txt" in ended.output
