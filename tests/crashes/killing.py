"""Runs that are killed: a child process with the run, and when to send it `kill -9`."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

ROOT = Path(__file__).resolve().parents[2]
SILENCE_SECONDS_MAX = 60.0
KILLS_EVERY = int(os.environ.get("KILLS_EVERY", "4"))
"""Long runs are killed at each so-manieth record in the suite; at every one by `make faults`."""


class Job(NamedTuple):
    """A run, to begin or to take up, whichever its directory calls for."""

    scenario: Path
    directory: Path
    settings: tuple[str, ...] = ()
    seed: int = 7
    crash_at: int | None = None
    crash_before: int | None = None


class Kill(NamedTuple):
    """`kill -9`, `delay` seconds after record `seq` is durable; seq 0: after the process began."""

    seq: int
    delay: float = 0.0


class End(NamedTuple):
    """How a process ended: its exit code or minus the signal, and what it said before."""

    code: int
    durable: int
    report: dict[str, Any] | None
    error: dict[str, Any] | None
    seconds_to_first_group: float

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Victim:
    """A process that does one job after the other, and survives its children's deaths."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crashes.victim"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # so that its child goes with it
        )
        self._text = b""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def run(self, job: Job, kill: Kill | None = None) -> End:
        """Do a job to its end, or to the kill."""
        plain = job._asdict() | {"scenario": str(job.scenario), "directory": str(job.directory)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(plain).encode() + b"\n")
        self._process.stdin.flush()
        pid, durable, report, error = 0, 0, None, None
        kill_at: float | None = None
        began = time.monotonic()
        first: float | None = None
        while True:
            word, value = self._line(kill_at)
            now = time.monotonic()
            match word:
                case "pid":
                    pid, began = int(value), now
                case "durable":
                    durable, first = int(value), first or now - began
                case "report":
                    report = json.loads(value)
                case "error":
                    error = json.loads(value)
                case "ended":
                    return End(int(value), durable, report, error, first or 0.0)
                case "due":
                    os.kill(pid, signal.SIGKILL)
                    kill, kill_at = None, None
            if kill is not None and kill_at is None and pid and durable >= kill.seq:
                kill_at = now + kill.delay

    def _line(self, until: float | None) -> tuple[str, str]:
        """What is said next; `due` when nothing was until then."""
        assert self._process.stdout is not None
        while b"\n" not in self._text:
            left = SILENCE_SECONDS_MAX if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                assert until is not None, f"silent for {SILENCE_SECONDS_MAX:g} s"
                return "due", ""
            some = os.read(self._process.stdout.fileno(), 65536)
            assert some, "the victim's parent process has ended"
            self._text += some
        if until is not None and time.monotonic() >= until:
            return "due", ""
        line, _, self._text = self._text.partition(b"\n")
        word, _, value = line.decode().partition(" ")
        return word, value
