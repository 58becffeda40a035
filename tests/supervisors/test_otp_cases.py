"""Recorded cases of real OTP, played against `decide`.

They are not part of the repository: `PERDURE_OTP_CASES` names the folder that has them.
"""

from __future__ import annotations

import json
import os
import re
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.supervisors.otp_player import Player

FOLDER = os.environ.get("PERDURE_OTP_CASES", "")
CASES = sorted(
    path for path in Path(FOLDER).glob("*.json") if FOLDER and ".expected" not in path.name
)
QUIRKS = {"h146_simple_restart_ignore.json"}  # a bug of OTP 25 that nobody imitates
MATCHES_MIN = 242
INSTANCE = re.compile(r"^(.*?)/#(\d+)(?:/|$)")
ENDINGS = ("terminate", "down", "sup_terminate", "sup_down")


def comparable(outcome: dict[str, Any]) -> dict[str, Any]:
    """A supervisor's kill has no order: its orphans die while its parent restarts it.

    A pool's children are stopped at once: those that end in a row are in no order either, but what
    is below one of them is. Processes that end in a row and log nothing themselves ("down") are
    seen by the recorder in an order of its own.
    """
    for step in outcome["steps"]:
        step["events"] = [
            event
            for untold, run in groupby(step["events"], key=lambda event: event[0] == "down")
            for event in (sorted(run, key=json.dumps) if untold else run)
        ]
        step["events"] = [
            event
            for _, run in groupby(step["events"], key=pool_of)
            for event in sorted(run, key=number_in_pool)
        ]
        if step.get("unordered"):
            step["events"].sort(key=json.dumps)
    return outcome


def pool_of(event: list[Any]) -> str | None:
    """The pool of whose children one ends, or something below one."""
    found = INSTANCE.match(event[1]) if event[0] in ENDINGS else None
    return found and found[1]


def number_in_pool(event: list[Any]) -> int:
    return int(INSTANCE.match(event[1])[2]) if pool_of(event) else 0  # type: ignore[index]


@pytest.mark.skipif(not CASES, reason="PERDURE_OTP_CASES names no folder with recorded cases")
def test_every_case_ends_as_it_did_in_otp() -> None:
    differing, matching = [], 0
    for path in CASES:
        if path.name in QUIRKS:
            continue
        got = Player(json.loads(path.read_text())).play()
        expected = json.loads(path.with_suffix(".expected.json").read_text())
        if comparable(json.loads(json.dumps(got))) == comparable(expected):
            matching += 1
        else:
            differing.append(path.name)
    assert differing == []
    assert matching >= MATCHES_MIN
