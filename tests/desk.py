"""A run that goes on until its clerk is cancelled, for other processes to speak to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perdure.ledger.presence import is_owned
from tests.cli.verbs import process

SECONDS = 20.0

SCENARIO = """
format = 1
name = "desk"
goal = "Count what comes in."
code = "actors.py"
[tree]
id = "desk"
strategy = "one_for_one"
intensity = 100
[[tree.children]]
id = "clerk"
actor = "Clerk"
[[tree.children]]
id = "spare"
actor = "Clerk"
[[tree.children]]
id = "counter"
actor = "Counter"
attempts_max = 2
backoff = { first = 0.0 }
[[tell]]
to = "/desk/clerk"
message = { "$" = "Open" }
[[tell]]
to = "/desk/counter"
message = { "$" = "Add", number = -1 }
"""

ACTORS = """
from __future__ import annotations
import os
from perdure import Actor, field, message, nonblocking

@message
class Open:
    pass

@message
class Add:
    number: int

@message
class Hold:
    pipe: str

def held(pipe: str) -> None:
    with open(pipe) as end:
        end.read()  # until the other end is closed

class Clerk(Actor):
    async def on_receive(self, message: Open | Hold) -> None:
        if isinstance(message, Hold):
            held(message.pipe)
            return
        await self.sleep(3_600)

class Counter(Actor):
    numbers: list[int] = field(default_factory=list)

    def on_receive(self, message: Add | Hold) -> list[int]:
        if isinstance(message, Hold):
            held(message.pipe)
            return []
        if message.number < 0 and not os.environ.get("DESK_FORGIVES"):
            raise ValueError("only upwards")
        self.numbers.append(message.number)
        return list(self.numbers)
"""


def desk(folder: Path) -> Path:
    """The scenario."""
    folder.mkdir(exist_ok=True)
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "actors.py").write_text(ACTORS)
    return folder


@contextmanager
def going_on(*verb: str | Path, directory: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """A process at a run, up and going on; killed at the end if it has not ended before."""
    owner = process(*verb, **env)
    try:
        assert owner.stdout is not None
        is_up = re.compile("restarted.*dead letter|resume")
        for line in owner.stdout:  # what a run tells is durable
            if is_up.search(line):
                break
        assert is_owned(directory)
        yield owner
    finally:
        if owner.poll() is None:
            os.kill(owner.pid, signal.SIGCONT)
            owner.kill()
        owner.communicate(timeout=SECONDS)


def at_desk(tmp_path: Path, **env: str) -> tuple[tuple[str | Path, ...], Path]:
    """The words that begin the run, and its directory."""
    directory = tmp_path / "run"
    return ("run", desk(tmp_path / "desk"), "--ledger", directory, "--seed", "7"), directory
