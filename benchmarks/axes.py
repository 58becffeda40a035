"""What grows in a ledger, and the fixed work whose cost is measured at each size.

An `Axis` knows how a ledger grows along it, on a run that may have begun long ago, and which works
are measured there. Each is asked of a run that was resumed in a process of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks import bare, resume
from benchmarks.memory import SPAWNER, Report, Spawn, Spawner, Work
from benchmarks.ring import MAKER, PAD, WAIT_SECONDS_MAX, Build, Go, Token, settle
from perdure import Actor, Child, Run, SupervisorSpec, message
from perdure.runtime.program import Program

PICKER = "/memory/picker"
PICKED_AT_ONCE = 500  # by one turn of the picker
HOT_AGENTS = 100
SPAWNED_AT_ONCE = 10_000  # a wait for them is bounded
MORE_AGENTS_MAX = 10_000  # than its size says, that a ledger gets while it is measured
RING_ACTORS = 1_000


@message("growth.pick")
class Pick:
    turns: int
    agents: int


class Picker(Actor, name="growth.picker"):
    """Tells agents picked at random, some in each turn, the next ones when those are done."""

    async def on_receive(self, message: Pick) -> None:
        pick = self.random.randrange
        now = min(message.turns, PICKED_AT_ONCE)
        for _ in range(now):
            self.tell(f"{SPAWNER}/a{pick(message.agents)}", Work("work for whoever is picked"))
        if message.turns > now:
            self.tell(PICKER, Pick(message.turns - now, message.agents))


class Job(NamedTuple):
    """A work of so many turns, after a warm-up of some.

    `do` has a run of that size do it, and gives back the turns that it took in all.
    """

    name: str
    title: str
    do: Callable[[Run, int, int], int]
    warm: int
    turns: int


class Axis(NamedTuple):
    """What ledgers grow by: their program, how they grow to a size, whom to ask, what to measure.

    `first` answers as soon as it is up, and once what was before it is durable. `bare` says what
    LMDB alone takes of it, in a ledger that nobody needs any more.
    """

    name: str
    unit: str
    program: Callable[[], Program]
    grow: Callable[[Run, int], None]
    first: tuple[str, object]
    jobs: tuple[Job, ...]
    bare: Callable[[Path, int], dict[str, float]] | None = None


# --- agents


def herd() -> Program:
    children = [Child("spawner", Spawner), Child("picker", Picker)]
    return Program.of(Child("memory", supervisor=SupervisorSpec(children=children)))


def spawn(run: Run, agents: int) -> None:
    """Have so many agents, each of which has handled a message; some may be there already."""
    settle(run, 0)
    there = count(run, 0, agents)
    while there < agents:
        end = min(there + SPAWNED_AT_ONCE, agents)
        turns = run.figures()["turns"] + end - there + 1
        run.tell(SPAWNER, Spawn(there, end)).get(timeout=WAIT_SECONDS_MAX)
        settle(run, turns)
        there = end


def count(run: Run, least: int, most: int) -> int:
    """How many agents there are, if it is known between what numbers."""
    find = run.kernel.book.find
    return least + bisect_left(range(least, most), True, key=lambda i: not find(f"{SPAWNER}/a{i}"))


def spawn_more(run: Run, agents: int, more: int) -> int:
    there = count(run, agents, agents + MORE_AGENTS_MAX)
    spawn(run, there + more)
    return more


def pick(run: Run, agents: int, turns: int) -> int:
    """Turns of agents that are picked at random among the first so many."""
    before, all_turns = run.figures()["turns"], turns + -(-turns // PICKED_AT_ONCE)
    run.tell(PICKER, Pick(turns, agents))
    settle(run, before + all_turns)
    return all_turns


def pick_hot(run: Run, agents: int, turns: int) -> int:
    return pick(run, min(agents, HOT_AGENTS), turns)


# --- records


def go_round(run: Run, records: int) -> None:
    """Have a ring go round until there are so many records."""
    if not run.kernel.book.find(f"{MAKER}/n0"):
        run.tell(MAKER, Build(RING_ACTORS)).get(timeout=WAIT_SECONDS_MAX)
        settle(run, 1)
    settle(run, 0)
    resume.lengthen(run, RING_ACTORS, records)


def ring(run: Run, records: int, turns: int) -> int:
    before, hops = run.figures()["turns"], turns // RING_ACTORS
    run.tell(MAKER, Go(hops, RING_ACTORS))
    settle(run, before + hops * RING_ACTORS + 1)
    return hops * RING_ACTORS + 1


AXES = (
    Axis(
        "agents",
        "agents",
        herd,
        spawn,
        (f"{SPAWNER}/a0", Report()),
        (
            Job("hot", "a turn of one of 100, always the same", pick_hot, 2_000, 20_000),
            Job("any", "a turn of one picked among all", pick, 10_000, 20_000),
            Job("born", "an agent's birth and first turn", spawn_more, 500, 5_000),
        ),
        bare.measure,
    ),
    Axis(
        "records",
        "records behind it",
        resume.program,
        go_round,
        (f"{MAKER}/n0", Token(1, PAD)),
        (Job("ring", "a turn in a ring of 1,000 actors", ring, 2_000, 20_000),),
    ),
)
