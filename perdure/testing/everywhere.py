"""Crashes everywhere: a run killed at each of its writes, taken up, and compared at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

from perdure.errors import UsageError
from perdure.ledger.audit import audit_store
from perdure.ledger.faults import Fault, FaultStore
from perdure.ledger.records import Kind
from perdure.runtime.program import Program
from perdure.runtime.view import View
from perdure.testing.ends import ABSENT, End, differences, effects_of, end_of, family_of
from perdure.testing.lives import Course, Life, Subject
from perdure.testing.probes import Probe
from perdure.testing.replays import replayed, replayed_elsewhere
from perdure.testing.report import CrashReport, Found, Problem
from perdure.testing.scripts import Scripted
from perdure.testing.stage import ROOT, program_of
from perdure.testing.toolbox import Toolbox

SEEDS = (1, 2, 1)
"""Of the runs that nobody interrupts: what they differ in follows from chance, or from nothing."""

TWICE_EVERY = 4  # crashes after which the process that takes the run up is killed too
TWICE_AT = (1, 2, 3, 5, 8, 13)  # at these writes of it, in turn
REPLAY_EVERY = 5  # crashed runs, of which one is replayed
OUTSIDE = "seen outside"
NO_CRASH = "with no crash at all"
ONLY_HERE = (
    "not tried in a process where sets have other orders: that needs actors which can be imported, "
    "from a module or a scenario's folder."
)
STUCK = (
    "the run does not come to rest: a handler or a tool waits for something outside, or it ticks "
    "for ever. Script the tool, or say within=SECONDS of ledger time."
)


def nothing() -> None:
    """Do nothing."""


class Everywhere:
    """One subject, crashed at write after write."""

    def __init__(
        self,
        subject: Subject,
        tools: Sequence[Scripted] = (),
        setup: Callable[[], object] = nothing,
        witness: Callable[[], object] | None = None,
        between: Callable[[FaultStore], object] = lambda store: None,
        every: int = 1,
    ) -> None:
        self.subject = subject
        self.every = every  # write, there is a crash
        self.between = between  # looks at what each process leaves
        self.tools = tools
        self.setup = setup
        self.witness = witness
        self.report = CrashReport()
        self.expected: dict[str, str] = {}
        self.last: FaultStore | None = None  # what a run that nobody interrupted has left
        self._unsettled: set[str] = set()  # families of what differs with no crash
        self._writes: tuple[int, ...] = ()  # of the run that nobody interrupts

    def run(self) -> CrashReport:
        """Do it all."""
        if self._uninterrupted():
            for number, faults in enumerate(self._points(), 1):
                if not self._crash(number, faults):
                    break
        return self.report

    def _uninterrupted(self) -> bool:
        """Learn what the run comes to; whether it comes to anything."""
        ends: list[dict[str, str]] = []
        for seed in SEEDS:
            end, course = self._live((), seed)
            self._look(course.last, NO_CRASH)
            if end["status"] == "failed":
                reason = View(course.store).status.reason
                self.report.add(Problem("error", NO_CRASH, f"the run failed: {reason}"))
            if any(problem.kind in ("error", "stall") for problem in self.report.problems):
                return False
            ends.append(end)
            self._replay(course.store, NO_CRASH)
            self.last = course.store
            self._writes = course.writes
        unsettled = {what for end in ends[1:] for what, _, _ in differences(ends[0], end)}
        self._unsettled = {family_of(what) for what in unsettled}
        self.expected = self._settled(ends[0])
        self.report.writes = len(self._writes)
        self.report.unsettled = tuple(sorted(self._unsettled))
        return True

    def _settled(self, end: End) -> dict[str, str]:
        return {what: said for what, said in end.items() if family_of(what) not in self._unsettled}

    def _points(self) -> Iterator[tuple[Fault, ...]]:
        """Where to crash: before each write, and after those that say what is about to happen."""
        for number, at in enumerate(count(1, self.every), 1):
            again = (Fault(TWICE_AT[number // TWICE_EVERY % len(TWICE_AT)]),)
            yield (Fault(at), *(again if number % TWICE_EVERY == 0 else ()))
            if at <= len(self._writes) and self._writes[at - 1] == Kind.INTENT:
                yield (Fault(at, "after"),)

    def _crash(self, number: int, faults: tuple[Fault, ...]) -> bool:
        """Crash there, take the run up until it is over, look; False if it was over before."""
        end, course = self._live(faults, SEEDS[0])
        self.report.crashes += course.crashes
        where = self._where(faults[: course.crashes])
        self._look(course.last, where)
        if not course.last.stalled:  # else what it came to says no more
            self._compare(end, where)
        if number % REPLAY_EVERY == 0:
            self._replay(course.store, where)
        return course.crashes > 0

    def _live(self, faults: tuple[Fault, ...], seed: int) -> tuple[dict[str, str], Course]:
        """One run with its crashes, audited after each; what it came to."""
        toolbox = Toolbox(self.tools)
        self.setup()

        def between(store: FaultStore) -> None:
            self.report.processes += 1
            for violation in audit_store(store):
                self.report.add(Problem("ledger", self._where(faults), str(violation)))
            self.between(store)

        course = self.subject.live(faults, toolbox, seed=seed, between=between)
        end = end_of(course.store) | effects_of(toolbox)
        if self.witness is not None:
            end[OUTSIDE] = repr(self.witness())
        for done in toolbox.again:
            seen = f"{done.words} was made again, and its success was recorded"
            self.report.add(Problem("double effect", self._where(faults), seen))
        return end, course

    def _where(self, faults: Sequence[Fault]) -> str:
        """Where a run was killed, in words."""
        if not faults:
            return NO_CRASH
        at = faults[0].at
        kind = f" ({Kind(self._writes[at - 1]).name})" if at <= len(self._writes) else ""
        return str(faults[0]) + kind + "".join(f", then {each}" for each in faults[1:])

    # --- looking

    def _look(self, life: Life, where: str) -> None:
        """See how a run ended: it has come to rest, and nobody waits for a repair."""
        if life.is_stuck:
            self.report.add(Problem("stall", where, STUCK))
        elif life.error is not None:
            text = f"{type(life.error).__name__}: {life.error}"
            self.report.add(Problem("error", where, text))
        for address, reason in life.stalled:
            is_other = "is recorded as" in reason or "without asking for" in reason
            kind: Found = "nondeterminism" if is_other else "stall"
            seen = f"{address} is stalled: {reason}"
            self.report.add(Problem(kind, where, seen, f"{address} is stalled"))

    def _compare(self, end: End, where: str) -> None:
        for what, expected, found in differences(self.expected, self._settled(end)):
            seen = f"{what}: {found}; with no crash it is {expected}"
            self.report.add(Problem(_kind(what, expected, found), where, seen))

    def _replay(self, store: FaultStore, where: str) -> None:
        """Run all turns again from the ledger alone: what they do must be the same."""
        for each in replayed(self.subject.program, store):
            self.report.add(Problem("nondeterminism", where, str(each), each.about))

    def replay_elsewhere(self, parts: Sequence[Any], settings: Sequence[str]) -> None:
        """The same in processes in which sets have other orders."""
        if self.last is None:
            return
        found = replayed_elsewhere(parts, settings, self.last)
        if found is None:
            self.report.notes.append(ONLY_HERE)
        for each in found or ():
            self.report.add(Problem("nondeterminism", NO_CRASH, str(each), each.about))


def _kind(what: str, expected: str, found: str) -> Found:
    """Of what kind a difference is."""
    if what == OUTSIDE:
        return "outside"
    if what.startswith("effect"):
        return "double effect" if _times(found) > _times(expected) else "lost effect"
    if " handled by " in what or what.startswith("dead letter "):
        return "messages"
    return "different end"


def _times(said: str) -> int:
    return 0 if said == ABSENT else int(said.partition(" ")[0])


def crash_everywhere(
    *parts: Any,
    tells: Iterable[Any] = (),
    tools: Iterable[Scripted] = (),
    setup: Callable[[], object] = nothing,
    witness: Callable[[], object] | None = None,
    settings: Sequence[str] = (),
    within: float | None = None,
    every: int = 1,
    elsewhere: bool = False,
) -> CrashReport:
    """Run actors, kill them at every record, take them up each time, and say what came of it.

    `parts` and `tools` are those of `Trial`. `tells` are the first messages: (address, message), or
    messages alone for the first part. `witness` tells what the world outside looks like at the end
    of a run, and `setup` puts that world back before each. Everything is in memory, and time leaps.

    The run must come to rest by itself, or is ended after `within` seconds of ledger time. What it
    comes to must not hang on where it was killed: states, answers, artifacts, dead letters, money,
    what tools did and what the witness saw. What differs between runs that nobody kills is not
    compared, and named. `every` is for long runs: only each so-manieth record has its crash.

    Its turns are replayed, too; with `elsewhere` also in new processes, in which sets have other
    orders. What tests patch is not patched there: say so only of handlers that do nothing outside
    by themselves.
    """
    program = program_of(parts, settings)
    subject = Subject(program, _addressed(tells, parts, program), within=within)
    everywhere = Everywhere(subject, tuple(tools), setup, witness, every=every)
    everywhere.run()
    if elsewhere:
        everywhere.replay_elsewhere(parts, settings)
    return everywhere.report


def _addressed(
    tells: Iterable[Any], parts: Sequence[Any], program: Program
) -> Iterator[tuple[str, object]]:
    if any(isinstance(part, Probe) for part in parts):
        raise UsageError("probes are for Trial: in crash_everywhere, let an actor of yours answer.")
    children = program.tree.supervisor.children if program.tree.supervisor is not None else ()
    for tell in tells:
        if isinstance(tell, tuple):
            yield tell
        elif program.tree.id == ROOT and children:
            yield f"/{ROOT}/{children[0].id}", tell
        else:
            raise UsageError(f"say who is told {tell!r}: ('/address', message).")
