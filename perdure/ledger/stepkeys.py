"""Step keys: which branch of a turn a step is in, and when a failure is past; pure.

A key is `branch + name + "#" + n`. The branch is empty for the handler itself; a task that it
starts has the branch of its starter, its creation number and a dot: `1.`, `2.`, `2.1.`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from perdure.errors import Refused
from perdure.limits import STEP_KEY_BYTES_MAX, STEPS_AT_ONCE_MAX

_BRANCH = re.compile(r"(?:\d+\.)*")


class Begun(Protocol):
    """A step, as far as it matters here: how far the journal was when it was begun."""

    @property
    def begun(self) -> int: ...


class Keys:
    """The keys that one turn has given out, and what it made of the steps recorded before it."""

    __slots__ = ("_counts", "_instant", "begun", "has_returned", "is_failing", "stalled")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._instant = 0  # steps that were done where they were asked for
        self.begun: dict[str, int] | None = None  # see `last_begun`; of attempts before this one
        self.is_failing = False  # the handler has raised: what it began is waited for
        self.has_returned = False  # what waits in the tasks that it left is nobody's any more
        self.stalled = ""  # why the turn needs a repair, whatever its handler makes of that

    def next(self, branch: str, name: str) -> str:
        """The key of the next step of that name in that branch."""
        place = branch + name
        n = self._counts[place] = self._counts.get(place, 0) + 1
        key = f"{place}#{n}"
        if len(key.encode()) > STEP_KEY_BYTES_MAX:
            raise Refused(
                f"the step key {key[:60]}… has {len(key.encode())} of at most "
                f"{STEP_KEY_BYTES_MAX} bytes. Give the tool or the function a shorter name, or "
                "start its tasks less deeply nested."
            )
        return key

    def is_breath(self) -> bool:
        """Whether the next step that could be done at once is to let others have their turn."""
        self._instant += 1
        return self._instant % STEPS_AT_ONCE_MAX == 0

    def child(self, branch: str) -> str:
        """The branch of the next task that is started in that branch."""
        n = self._counts[branch] = self._counts.get(branch, 0) + 1  # no step has an empty name
        return f"{branch}{n}."


def branch_of(key: str) -> str:
    """The branch that a step key is in.

    >>> branch_of("2.1.net.read#3"), branch_of("net.read#1")
    ('2.1.', '')
    """
    found = _BRANCH.match(key)
    return found[0] if found else ""


def above(branch: str) -> Iterator[str]:
    """A branch and all above it.

    >>> list(above("2.1."))
    ['2.1.', '2.', '']
    """
    while branch:
        yield branch
        branch = branch[: branch.rfind(".", 0, -1) + 1]
    yield ""


def last_begun(steps: Iterable[tuple[str, Begun]]) -> dict[str, int]:
    """For each branch, how far the journal was when it last began a step."""
    begun: dict[str, int] = {}
    for key, step in steps:
        branch = branch_of(key)
        if step.begun > begun.get(branch, -1):
            begun[branch] = step.begun
    return begun


def is_past(key: str, failed_at: int, begun: dict[str, int]) -> bool:
    """Whether the handler went on after a failure: its branch, or one above it, began a step.

    Then the failure is final, since what was begun was begun because of it. Else the turn ended
    on it, and the next attempt may do better.
    """
    return any(begun.get(branch, -1) >= failed_at for branch in above(branch_of(key)))
