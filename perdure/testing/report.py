"""What came of crashing something everywhere, for people and for `assert`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

Found = Literal[
    "double effect", "lost effect", "outside", "different end", "nondeterminism", "stall",
    "messages", "ledger", "error",
]  # fmt: skip
"""Kinds of problems."""

PROBLEMS_SHOWN_MAX = 10
UNSETTLED_SHOWN_MAX = 5

WAYS_OUT: dict[Found, str] = {
    "double effect": (
        "what must not happen twice is one @tool call of one message: see whether two messages, or "
        "on_start, or another actor ask for it too."
    ),
    "lost effect": (
        "what is to happen is one @tool call of one message: see what the handler decides it by, "
        "and keep that in annotated attributes."
    ),
    "outside": (
        "the handler does it by itself, so every attempt does it again: make it a @tool and "
        "`await self.call(…)` it."
    ),
    "different end": (
        "what a handler does must follow from its state, its message and its steps: keep what it "
        "needs in annotated attributes, and learn the rest by self.once, self.call, self.now, "
        "self.random."
    ),
    "nondeterminism": (
        "time is self.now(), chance is self.random, the order of a set is sorted(…), and whatever "
        "else comes from outside is learned by self.once or self.call."
    ),
    "stall": (
        "an actor that waits for a repair cannot go on by itself: its handler asks for other steps "
        "than it did before, or needs what is not there."
    ),
    "messages": (
        "messages are sent by self.tell and self.ask, which are part of the turn; what is sent "
        "past them is sent again by each attempt, or lost."
    ),
    "ledger": "this is a bug of perdure's: please report it with this text.",
    "error": "the process ended with an error of its own: see what it says.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a crash brought to light: of what kind, where, what was seen."""

    kind: Found
    where: str
    seen: str
    about: str = ""  # what two sightings of one problem have in common; none: all that was seen
    times: int = 1  # at how many crashes

    @property
    def way_out(self) -> str:
        """What to do about it."""
        return WAYS_OUT[self.kind]

    def __str__(self) -> str:
        more = "" if self.times == 1 else f", and at {self.times - 1} more"
        seen = self.seen.replace("\n", "\n    ")
        return f"{self.kind}: {self.where}{more}\n    {seen}\n    way out: {self.way_out}"


@dataclass
class CrashReport:
    """What came of it: `report.raise_for_problems()`, or `assert report.ok, str(report)`."""

    crashes: int = 0  # that struck
    processes: int = 0
    writes: int = 0  # of the run that nobody interrupted
    problems: list[Problem] = field(default_factory=list)
    unsettled: tuple[str, ...] = ()  # what differs without any crash, so that it says nothing
    notes: list[str] = field(default_factory=list)  # what was not tried, and why

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def add(self, problem: Problem) -> None:
        """Note a problem; one that was seen before counts up."""
        for at, known in enumerate(self.problems):
            if known.kind == problem.kind and _about(known) == _about(problem):
                self.problems[at] = replace(known, times=known.times + 1)
                return
        self.problems.append(problem)

    def raise_for_problems(self) -> None:
        """Raise `AssertionError` with all of this, if there is a problem."""
        __tracebackhide__ = True  # pytest: the line that calls this is the one to show
        if self.problems:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        found = len(self.problems)
        lines = [
            f"{self.crashes} crashes at {self.writes} writes, {self.processes} processes: "
            + (f"{found} problem{'s' if found > 1 else ''}" if found else "no problem")
        ]
        lines += [f"{n}. {each}" for n, each in enumerate(self.problems[:PROBLEMS_SHOWN_MAX], 1)]
        if found > PROBLEMS_SHOWN_MAX:
            lines.append(f"… and {found - PROBLEMS_SHOWN_MAX} more")
        if self.unsettled:
            shown = ", ".join(self.unsettled[:UNSETTLED_SHOWN_MAX])
            more = len(self.unsettled) - UNSETTLED_SHOWN_MAX
            and_more = f" and {more} more" if more > 0 else ""
            lines.append(f"not compared, for it differs without a crash: {shown}{and_more}")
        return "\n".join([*lines, *self.notes])

    __repr__ = __str__


def _about(problem: Problem) -> str:
    return problem.about or problem.seen
