"""`kill -9` of what people type: `perdure run`, then `perdure resume` until it is done."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from random import Random

from tests.cli.verbs import process
from tests.crashes.torment import SURVEY, library
from tests.crashes.wholeness import artifacts, look

KILLS = 4
SEED = "7"
KILLED = -signal.SIGKILL


def perdure(*args: str | Path) -> tuple[int, str]:
    """The exit code of a verb in a process of its own, and what it wrote."""
    verb = process(*args)
    out, error = verb.communicate(timeout=120)
    return verb.returncode, out or error


def test_a_survey_killed_and_resumed_by_the_verbs_ends_with_the_same_artifacts(
    tmp_path: Path,
) -> None:
    folder = library(tmp_path / "library", [])
    begin = ("run", SURVEY, "--seed", SEED, "--set", f"folder={folder}", "--set", "faults=0.1")
    whole, dead = tmp_path / "whole", tmp_path / "dead"
    code, told = perdure(*begin, "--ledger", whole, "--json")
    assert code == 0, told
    records = look(whole).records
    moments = sorted(Random(SEED).sample(range(40, int(records * 0.9)), KILLS))
    verb: tuple[str | Path, ...] = (*begin, "--ledger", dead)
    for seq in moments:
        code, told = perdure(*verb, "--crash-at", str(seq))
        assert code == KILLED, told
        assert perdure("verify", dead)[0] == 0
        verb = ("resume", dead)
    code, told = perdure("resume", dead, "--json")
    assert code == 0, told
    assert json.loads(told.splitlines()[-1])["status"] == "finished"
    assert artifacts(dead) == artifacts(whole)
