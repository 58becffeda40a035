"""In a terminal a run shows how far it is, in colours, and leaves the screen as it should be."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bank import bank
from tests.cli.test_doubt import STOLEN, doubtful
from tests.cli.verbs import ROOT, shop

__all__ = ["doubtful"]


def on_screen(*args: str | Path, **given: str) -> tuple[int, str]:
    """What `perdure ARGS` exits with and writes to a terminal."""
    ours, theirs = pty.openpty()
    script = "from perdure.cli.main import main; main()"
    command = [sys.executable, "-c", script, *map(str, args)]
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "90"}
    env.pop("NO_COLOR", None)
    env |= given
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    ) as child:
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(ours, 65_536):
                seen += chunk
        except OSError:  # the terminal's other end is closed
            pass
        finally:
            os.close(ours)
    return child.returncode, seen.decode()


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("terminal")
    code, seen = on_screen("run", shop(folder / "shop", "stolen"), "--ledger", folder / "run")
    assert code == 0
    return seen


def test_progress_is_shown_and_taken_away(screen: str) -> None:
    assert " turns" in screen.partition("finished")[0]
    assert "\x1b[2K" in screen  # the line of figures, wiped
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") == 1


def test_events_and_the_summary_are_in_colours(screen: str) -> None:
    assert "\x1b[31mcrashed\x1b[0m on Sale('stolen')" in screen
    assert "\x1b[32m\x1b[1mfinished\x1b[0m" in screen


def test_without_colours_there_are_none(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    code, seen = on_screen("run", folder, NO_COLOR="1")
    assert code == 0
    assert "finished" in seen
    assert "\x1b[3" not in seen


def test_what_repairs_a_stall_is_seen_in_a_narrow_terminal(doubtful: Path) -> None:
    bank(doubtful.parent / "bank", STOLEN)
    code, seen = on_screen("resume", doubtful, COLUMNS="60", NO_COLOR="1")
    assert code == 4
    live, _, summary = " ".join(seen.split()).partition("waits for a repair")
    for text in (live, summary):
        assert "stalled" in text
        assert "`perdure clear RUN /bank/payer --forget`" in text
        assert "`--dead`" in text
    _, seen = on_screen("show", doubtful, COLUMNS="60", NO_COLOR="1")
    assert "`perdure clear RUN /bank/payer --forget`" in " ".join(seen.split())
    assert max(len(line) for line in seen.splitlines() if "RUN" in line) <= 60
