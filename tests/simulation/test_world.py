"""One seed is one world, worlds have everything in them, and in none of them anything breaks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from perdure.simulation.plots import WEIGHTS
from perdure.simulation.world import Outcome, simulate

SEEDS = (1, 2, 10, 18, 33, 34)
"""Between them they have everything in them, and find nine of the ten planted bugs (planted.py)."""
RECORDS = {
    "Run", "Open", "Birth", "Turn", "Crash", "Intent", "Result", "Ask", "Post", "Timer", "Late",
    "Release", "Status", "Stall", "Suspend", "Verdict",
}  # fmt: skip
FAULTS = {
    "process: killed", "process: interrupted", "process: commit failed", "a commit that fails",
    "hang", "a tool that does: fail", "a tool that does: exit", "a crash on a failed step",
    "a rejection", "a flipped bit", "budget exhausted", "a drain", "a step that failed",
    "a step that failed: StepCancelled",
}  # fmt: skip
ACTS = {"tell", "ask", "post", "double", "suspend", "release", "stop", "exit", "requeue", "repair"}
ANSWERS = {"ask: answered", "ask: AskTimeout", "ask: Crashed", "ask: Deadlock", "a receipt"}
EFFECTS = {"reversible", "irreversible", "financial", "external", "code", "admin"}

SCRIPT = "from perdure.simulation.world import simulate; print(simulate(34).digest)"


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [simulate(seed) for seed in SEEDS]


def test_nothing_that_must_hold_is_violated(outcomes: list[Outcome]) -> None:
    assert {each.seed: each.violations for each in outcomes if each.violations} == {}


def test_the_worlds_have_every_record_fault_move_and_act(outcomes: list[Outcome]) -> None:
    counts = sum((each.counts for each in outcomes), Counter[str]())
    wanted = RECORDS | FAULTS | ANSWERS
    wanted |= {f"act: {name}" for name in ACTS} | {f"move: {name}" for name in WEIGHTS}
    wanted |= {f"an effect that is {effect}" for effect in EFFECTS}
    assert {name for name in wanted if not counts[name]} == set()


def test_the_same_seed_is_the_same_world_in_this_process_and_in_others(
    outcomes: list[Outcome],
) -> None:
    said = {outcomes[-1].digest, simulate(34).digest}
    for hash_seed in ("0", "77"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        told = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True
        )
        said.add(told.stdout.strip())
    assert len(said) == 1


def test_another_seed_is_another_world(outcomes: list[Outcome]) -> None:
    assert len({each.digest for each in outcomes}) == len(outcomes)


def test_a_world_stops_at_the_event_that_one_wants_to_look_at(outcomes: list[Outcome]) -> None:
    whole, part = outcomes[-1], simulate(34, until=100)
    assert part.lines[:100] == whole.lines[:100]
    assert part.events < whole.events
