"""A process is killed at each thing that it does to the file system, in turn.

`kill -9` after a random time rarely hits what is short; this hits everything that Python does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

_WRITES = {
    "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "os.symlink",
    "fcntl.flock", "shutil.rmtree", "tempfile.mkdtemp",
}  # fmt: skip


def at_each_step(action: Callable[[], object], first: int = 1) -> Iterator[int]:
    """Do the action in children, the n-th killed before its n-th step; ends when one is done.

    Yields the number of each child that was killed. The caller has no threads.
    """
    for number in count(first):
        pid = os.fork()
        if pid == 0:
            _die_at(number)
            action()
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return
        yield number


def _die_at(number: int) -> None:
    steps = count(1)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        is_write = event in _WRITES
        if event == "open" and isinstance(args[2], int):
            is_write = bool(args[2] & (os.O_WRONLY | os.O_RDWR))
        if is_write and next(steps) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
