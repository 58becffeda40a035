"""Signals: the first one drains, the second one ends the process at once."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from perdure.limits import DRAIN_SECONDS_MAX
from tests.cli.verbs import answer, perdure, process, shop

SECONDS = DRAIN_SECONDS_MAX + 20


def selling(folder: Path) -> subprocess.Popen[str]:
    """A run whose `def` handler has just begun to block for 60 s."""
    child = process("run", folder)
    assert child.stdout is not None
    for line in child.stdout:
        if line == "selling\n":
            return child
    raise AssertionError("the handler never began")


def test_a_signal_drains_a_run_within_its_bound(tmp_path: Path) -> None:
    """Both at a time: each takes all of the bound, because its handler blocks."""
    signals = (signal.SIGTERM, signal.SIGINT)
    children = [selling(shop(tmp_path / number.name, "slowly")) for number in signals]
    for child, number in zip(children, signals, strict=True):
        child.send_signal(number)
    for run, child in enumerate(children, 1):
        out, err = child.communicate(timeout=SECONDS)
        assert child.returncode == 4
        assert "perdure: draining: " in err
        assert "interrupted  drained\n" in out
        assert f"next       perdure resume shop-{run}" in out
        till = answer("tree", f"shop-{run}")["tree"][0]["children"][0]
        assert (till["waiting"], till["crashes"], till["incarnation"]) == (2, 0, 1)
        assert perdure("verify", f"shop-{run}").exit_code == 0


def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    child = selling(shop(tmp_path / "shop", "slowly"))
    child.send_signal(signal.SIGTERM)
    assert child.stderr is not None
    assert "draining" in child.stderr.readline()
    deadline = time.monotonic() + SECONDS
    while perdure("show", "last").exit_code and time.monotonic() < deadline:
        pass  # the handler began before the run's first records were durable
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=SECONDS)
    assert child.returncode == 4
    assert answer("show", "last")["status"] == "interrupted"
