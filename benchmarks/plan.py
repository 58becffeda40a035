"""What `make bench` runs: the contests, their parts, and how much of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.contest import Contest, Part


class Plan(NamedTuple):
    """How much of everything is run."""

    seconds: float  # no lap but the first is begun that would end later
    laps: int  # of what takes seconds
    few: int  # laps of what takes longer
    ring_actors: int
    hops: int
    ceiling_turns: int
    pykka_hops: int
    lone_actors: int
    lone_hops: int
    steps: int  # of one actor
    agents: int
    agent_steps: int  # of each of those
    commits: int  # of one actor that waits for each
    killed_turns: int
    killed_effects: int
    messages: int
    asks: int
    queries: int
    leaves: int
    each: int  # messages to each of those
    many: tuple[int, ...]  # actors there are at once
    threads: int  # that Pykka is asked for
    falls: int
    blockers: int
    cheap: int
    waits: int


NORMAL = Plan(
    seconds=570,
    laps=5, few=3, ring_actors=1_000, hops=80, ceiling_turns=150_000, pykka_hops=40,
    lone_actors=100, lone_hops=20_000, steps=2_000, agents=200, agent_steps=20, commits=100,
    killed_turns=20_000, killed_effects=2_000, messages=100_000, asks=10_000, queries=500,
    leaves=10_000, each=10, many=(10_000, 100_000), threads=30_000, falls=1_000, blockers=100,
    cheap=1_000, waits=1_000,
)  # fmt: skip
QUICK = Plan(
    seconds=570,
    laps=1, few=1, ring_actors=20, hops=5, ceiling_turns=2_500, pykka_hops=5, lone_actors=10,
    lone_hops=50, steps=20, agents=5, agent_steps=4, commits=10, killed_turns=1_000,
    killed_effects=20, messages=200, asks=20, queries=3, leaves=20, each=2, many=(100, 1_200),
    threads=20, falls=20, blockers=5, cheap=20, waits=20,
)  # fmt: skip
FULL = NORMAL._replace(seconds=1_140, many=(*NORMAL.many, 1_000_000))


def account(plan: Plan) -> Part:
    """The ring with an account of what it writes, whose time does not count."""
    return Part("ring", "ring", (*_ring(plan), "--account"))


def contests(plan: Plan, sizes: Mapping[str, float]) -> tuple[Contest, ...]:
    """Everything that is timed; `sizes` are those of the rows that a turn of the ring writes."""
    return (
        *_rings(plan, sizes),
        *_steps(plan, _bare(sizes)),
        _levels(plan),
        *_talks(plan),
        *_lives(plan),
        *_waits(plan),
    )


def _ring(plan: Plan) -> tuple[object, ...]:
    return ("{}", "--actors", plan.ring_actors, "--hops", plan.hops)


def _sized(sizes: Mapping[str, float], *names: str) -> tuple[object, ...]:
    """The arguments that say how large rows are."""
    return tuple(each for n in names for each in (f"--{n}", round(sizes[f"{n}_bytes"])))


def _bare(sizes: Mapping[str, float]) -> tuple[object, ...]:
    """Those of the ceiling."""
    return _sized(sizes, "journal", "state", "actor")


def _rings(plan: Plan, sizes: Mapping[str, float]) -> tuple[Contest, ...]:
    work = ("{}", "--turns", plan.ceiling_turns, "--actors", plan.ring_actors)
    bare = (*work, *_bare(sizes))
    net = (sizes["state_rows"], 0, sizes["inbox_rows"], sizes["inbox_deletes"])
    lone = ("--actors", plan.lone_actors, "--tokens", 1, "--hops", plan.lone_hops)
    ring = (
        Part("ring", "ring", _ring(plan)),
        Part("raw", "raw", (*work, *_sized(sizes, "journal", "state"))),
        Part("ceiling", "ceiling", bare),
        Part("ceiling_by_key", "ceiling", (*bare, "--by-key")),
        Part("ceiling_in_batches", "ceiling", (*bare, "--batches")),
        Part("ceiling_net", "ceiling", (*bare, "--batches", "--net", *net)),
        Part("pykka", "pykka_ring", ("--actors", plan.ring_actors, "--hops", plan.pykka_hops)),
    )
    alone = (Part("ring", "ring", ("{}", *lone)), Part("pykka", "pykka_ring", lone))
    return Contest("ring", plan.laps, ring), Contest("lone", plan.laps, alone)


def durable(name: str, kind: str, agents: int, steps: int) -> Part:
    """A part in which that many agents take that many durable steps each."""
    return Part(name, "durable", ("{}", "--kind", kind, "--agents", agents, "--steps", steps))


def _steps(plan: Plan, bare: tuple[object, ...]) -> tuple[Contest, ...]:
    one, many = (1, plan.steps), (plan.agents, plan.agent_steps)

    def rows(name: str, turns: int, *rest: object) -> Part:
        return Part(name, "ceiling", ("{}", "--turns", turns, *bare, *rest))

    kinds = ("turns", "reads", "instant")
    killed = tuple(
        Part(kind, "killed", ("{}", "--kind", kind, "--steps", steps))
        for kind, steps in (("turns", plan.killed_turns), ("effects", plan.killed_effects))
    )
    return (
        Contest(
            "one", plan.laps,
            (*(durable(kind, kind, *one) for kind in kinds),
             rows("lmdb", 10 * plan.steps, "--actors", 1)),
        ),
        Contest(
            "many", plan.laps,
            (*(durable(kind, kind, *many) for kind in kinds),
             rows("lmdb", 10 * plan.agents * plan.agent_steps, "--actors", plan.agents)),
        ),
        Contest(
            "effects", plan.laps,
            (durable("one_effects", "effects", *one),
             Part("raw", "raw", ("{}", "--kind", "effects", "--turns", plan.steps)),
             rows("lmdb", plan.steps, "--actors", 1, "--group", 1),
             durable("one_acts", "acts", *one),
             durable("many_effects", "effects", *many),
             durable("many_acts", "acts", *many)),
        ),
        Contest("killed", plan.few, killed),
    )  # fmt: skip


def _levels(plan: Plan) -> Contest:
    """One actor at each durability level; turns that wait for a commit each are fewer."""

    def part(name: str, turns: int) -> Part:
        args = ("--durability", name, "--turns", turns, "--effects", plan.commits)
        return Part(name, "levels", ("{}", *args))

    group, relaxed = part("group", plan.steps), part("relaxed", plan.steps)
    return Contest("levels", plan.laps, (group, part("each", plan.commits), relaxed))


def _talks(plan: Plan) -> tuple[Contest, ...]:
    def both(work: str, messages: int, *rest: object) -> tuple[Part, Part]:
        args = ("--work", work, "--messages", messages, *rest)
        return Part(work, "talk", ("{}", *args)), Part(f"pykka_{work}", "pykka_talk", args)

    tells = (*both("tells", plan.messages), *both("posts", plan.messages))
    asks = (*both("asks", plan.asks), *both("queries", plan.queries))
    fan = both("fan", plan.leaves * plan.each, "--each", plan.each)
    return (
        Contest("tells", plan.laps, tells),
        Contest("asks", plan.laps, asks),
        Contest("fan", plan.few, fan),
    )


def _lives(plan: Plan) -> tuple[Contest, ...]:
    crowds = tuple(Part(f"{n}", "memory", ("{}", "--agents", n)) for n in plan.many)
    falls = ("{}", "--falls", plan.falls)
    return (
        Contest("crowd", 1, (*crowds, Part("pykka", "pykka_lives", ("--actors", plan.threads)))),
        Contest(
            "falls", plan.few,
            (Part("disk", "restart", falls),
             Part("memory", "restart", (*falls, "--memory")),
             Part("pykka", "pykka_lives", ("--work", "falls", "--actors", plan.falls))),
        ),
    )  # fmt: skip


def _waits(plan: Plan) -> tuple[Contest, ...]:
    blocked = ("{}", "--blockers", plan.blockers, "--cheap", plan.cheap)
    waits = ("{}", "--waits", plan.waits)
    return (
        Contest(
            "blockers", plan.few,
            tuple(Part(on, "blockers", (*blocked, "--on", on)) for on in ("perdure", "pykka")),
        ),
        Contest(
            "loopback", plan.few,
            tuple(Part(on, "loopback", (*waits, "--on", on))
                  for on in ("perdure", "asyncio", "pykka")),
        ),
    )  # fmt: skip
