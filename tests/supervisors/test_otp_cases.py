"""Recorded cases of real OTP, played against `decide`.

They are not part of the repository: `PERDURE_OTP_CASES` names the folder that has them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import UsageError
from tests.supervisors.otp_player import Player, Unsupported

FOLDER = os.environ.get("PERDURE_OTP_CASES", "")
CASES = sorted(
    path for path in Path(FOLDER).glob("*.json") if FOLDER and ".expected" not in path.name
)
MATCHES_MIN = 186  # of 243; the others need what `decide` does not offer yet


def comparable(outcome: dict[str, Any]) -> dict[str, Any]:
    """A supervisor's kill has no order: its orphans die while its parent restarts it."""
    for step in outcome["steps"]:
        if step.get("unordered"):
            step["events"].sort(key=json.dumps)
    return outcome


@pytest.mark.skipif(not CASES, reason="PERDURE_OTP_CASES names no folder with recorded cases")
def test_every_case_that_can_be_played_ends_as_it_did_in_otp() -> None:
    differing, matching = [], 0
    for path in CASES:
        try:
            got = Player(json.loads(path.read_text())).play()
        except (Unsupported, UsageError):
            continue
        expected = json.loads(path.with_suffix(".expected.json").read_text())
        if comparable(json.loads(json.dumps(got))) == comparable(expected):
            matching += 1
        else:
            differing.append(path.name)
    assert differing == []
    assert matching >= MATCHES_MIN
