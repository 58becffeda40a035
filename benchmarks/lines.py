"""The lines of the table that `make bench` writes, in their order."""

from __future__ import annotations

from benchmarks.goals import Goal, Row, Source

THREADS = "Pykka's threads, volatile"
MB = 1e-6


def ring_lines() -> tuple[Row, ...]:
    """B3, and what a turn of it writes."""
    ring, raw = Source("ring", "ring"), "a bare loop of such turns, LMDB and msgpack: *the ceiling*"
    others = {
        "ceiling": "LMDB alone, five ready-made rows a turn, turn by turn",
        "ceiling_by_key": "the same rows, a group's at once in the order of their keys",
        "ceiling_in_batches": "likewise, in batches (`putmulti`)",
        "ceiling_net": "in batches, only the rows that the ring wrote",
        "pykka": THREADS,
    }
    what, one = "ring of 1,000, 1,000 messages in flight", "ring of 100, one message in flight"
    account = {n: Source("account", "ring", f"{n}_bytes") for n in ("turn", "page", "needed")}
    needed = "bytes of its message and of its state's change"
    return (
        Row("B3", what, "/s", ring, raw, Source("ring", "raw"), Goal(0.45)),
        *(Row("", "", "/s", ring, text, Source("ring", name)) for name, text in others.items()),
        Row("B3", one, "/s", Source("lone", "ring"), THREADS, Source("lone", "pykka"), Goal(1.0)),
        Row(
            "", "bytes that a turn of the ring hands to LMDB, keys and checksums too", " B",
            account["turn"], needed, account["needed"], Goal(2.5, at_least=False),
        ),
        Row(
            "", "bytes of pages that LMDB writes for it", " B",
            account["page"], needed, account["needed"],
        ),
    )  # fmt: skip


def step_lines() -> tuple[Row, ...]:
    """W1, W2, W1e, W2e and W3."""
    groups = "LMDB alone, ready-made rows in groups of 1,024"
    loop, each = "a bare loop of such calls, LMDB and msgpack", "LMDB alone, five ready-made rows"
    kinds = {
        "turns": "each a turn (it tells itself)",
        "reads": "each `once` of an `async def`, in one turn",
        "instant": "each `once` of a `@nonblocking`, in one turn",
    }
    lmdb, call = Source("effects", "lmdb"), Source("effects", "one_effects")
    raw = Source("effects", "raw")
    one = [
        Row("W1", f"one actor, 2,000 steps, {text}", "/s", Source("one", kind), groups,
            Source("one", "lmdb"))
        for kind, text in kinds.items()
    ]  # fmt: skip
    many = [
        Row("W2", f"200 agents, 20 steps, {text}", "/s", Source("many", kind), groups,
            Source("many", "lmdb"))
        for kind, text in kinds.items()
    ]  # fmt: skip
    act, together = Source("effects", "one_acts"), "W1e of the same kind"
    return (
        *one,
        *many,
        Row("W1e", "one actor, 2,000 calls with an effect, in one turn", "/s", call,
            f"{loop}, a commit each", raw, Goal(0.8)),
        Row("W1e", "the same", "/s", call, f"{each}, a commit each", lmdb),
        Row("W1e", "one actor, 2,000 turns with such a call", "/s", act,
            f"{loop}, a commit each", raw),
        Row("W2e", "200 agents, 20 calls with an effect, in one turn", "/s",
            Source("effects", "many_effects"), together, call, Goal(10.0)),
        Row("W2e", "200 agents, 20 turns with such a call", "/s", Source("effects", "many_acts"),
            together, act),
        *(
            Row("W3", f"kill -9 amid {text}: from imports done to the first step", " ms",
                Source("killed", kind, "ms"), "interpreter and imports",
                Source("killed", kind, "import_ms"), Goal(150, at_least=False, of_ratio=False))
            for kind, text in (("turns", "turns"), ("effects", "calls with an effect"))
        ),
    )  # fmt: skip


def level_lines() -> tuple[Row, ...]:
    """W1 and W1e at the durability levels that are not the default."""
    what = {"turns": ("W1", "turns"), "effects": ("W1e", "calls with an effect")}
    return tuple(
        Row(what[kind][0], f"one actor, {what[kind][1]}, durability `{level}`", "/s",
            Source("levels", level, kind), "the same, `group`", Source("levels", "group", kind))
        for level in ("each", "relaxed") for kind in what
    )  # fmt: skip


def talk_lines() -> tuple[Row, ...]:
    """B1, B2 and B5."""
    works = (
        ("B1", "tells", "tells", "an actor tells another 100,000 messages", Goal(0.5)),
        ("B1", "tells", "posts", "the same, told from outside by `Run.tell`", None),
        ("B2", "asks", "asks", "an actor asks another 10,000 times", Goal(1.0)),
        (
            "B2",
            "asks",
            "queries",
            "asked from outside by `Run.ask`: a commit for each answer",
            None,
        ),
        ("B5", "fan", "fan", "10,000 agents x 10 messages, each passed on to one sink", Goal(2.0)),
    )
    return tuple(
        Row(
            name, what, "/s", Source(contest, work), THREADS, Source(contest, f"pykka_{work}"), goal
        )
        for name, contest, work, what, goal in works
    )


def crowd_lines(many: tuple[int, ...]) -> tuple[Row, ...]:
    """B4: how long it takes, what stays in memory, what is on disk, and how many there can be."""
    bounds = {100_000: 50, 1_000_000: 300}
    rows: list[Row] = []
    for n in many:
        goal = Goal(bounds[n], at_least=False, of_ratio=False) if n in bounds else None
        rows += [
            Row("B4", f"{n:,} agents created, one message each, then idle: time", " s",
                Source("crowd", str(n), "seconds")),
            Row("", "resident memory grew by", " MB", Source("crowd", str(n), "growth_bytes", MB),
                goal=goal),
            Row("", "ledger", " MB", Source("crowd", str(n), "ledger_bytes", MB)),
        ]  # fmt: skip
    threads = Source("crowd", "pykka", "agents")
    rows.append(
        Row("B4", "agents at once", "", Source("crowd", str(many[1]), "agents"),
            f"{THREADS}: as many as it could start of 30,000", threads, Goal(4.0))
    )  # fmt: skip
    return tuple(rows)


def fall_lines() -> tuple[Row, ...]:
    """B6, B7 and B8."""
    us = Goal(300, at_least=False, of_ratio=False)
    pykka, alone = Source("falls", "pykka", "us"), "without blockers"
    blocked = (
        (
            "told one by one, the blockers never done",
            "perdure",
            "steady",
            Goal(3.0, at_least=False),
        ),
        ("all told in one turn, after the blockers", "perdure", "burst", Goal(3.0, at_least=False)),
        ("Pykka's threads, told one by one", "pykka", "steady", None),
    )
    loop = Source("loopback", "perdure")
    bare = "bare asyncio tasks, nothing durable"
    return (
        Row("B6", "crash to new `on_start` done, durable: median", " us",
            Source("falls", "disk", "us"), "Pykka's threads, restarted by hand", pykka, us),
        Row("B6", "the same, in memory", " us", Source("falls", "memory", "us"),
            "Pykka's threads, restarted by hand", pykka),
        *(
            Row("B7", f"p99 of 1,000 cheap ones beside 100 that block 10 ms: {text}", " us",
                Source("blockers", on, f"{name}_us"), alone,
                Source("blockers", on, f"{name}_alone_us"), goal)
            for text, on, name, goal in blocked
        ),
        Row("B8", "1,000 handlers wait for HTTP, answered after 50 ms", "/s", loop, bare,
            Source("loopback", "asyncio")),
        Row("B8", "the same", "/s", loop, THREADS, Source("loopback", "pykka")),
    )  # fmt: skip


def lines(many: tuple[int, ...]) -> tuple[Row, ...]:
    """All of them."""
    steps = (*step_lines(), *level_lines())
    return (*steps, *talk_lines(), *ring_lines(), *crowd_lines(many), *fall_lines())
