"""The tree of a simulated world: supervisors of every strategy, actors of every kind."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from perdure.ledger.messages import Names
from perdure.runtime.program import BUILT_IN, Program, below
from perdure.simulation import cast
from perdure.simulation.cast import CLASSES, Player, Waiter
from perdure.supervisors.backoff import Backoff
from perdure.supervisors.spec import Child, SupervisorSpec

ROOT = "w"
DESK = f"/{ROOT}/desk"
"""Who hears of dead letters, and does nothing else."""

STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
HOWS = ("ok", "ok", "ok", "slow", "once", "sleep", "fail-1")


def plant(chance: Random) -> tuple[Program, list[str], set[str]]:
    """A program, the addresses that work is for, and those whose state may be set back."""
    children: list[Child] = [Child("desk", Waiter)]
    addresses: list[str] = []
    strategies = chance.sample(STRATEGIES, chance.randint(1, 3))
    for number, strategy in enumerate(strategies, 1):
        players = [_player(chance, f"p{n}") for n in range(1, chance.randint(2, 4))]
        name = f"s{number}"
        addresses += [f"/{ROOT}/{name}/{child.id}" for child in players]
        if chance.random() < 0.3:
            players.append(_nested(chance, addresses, f"/{ROOT}/{name}"))
        spec = _spec(chance, strategy, players)
        children.append(Child(name, supervisor=spec, shutdown=_shutdown(chance, is_one=True)))
    for n in range(chance.randint(1, 3)):
        children.append(_player(chance, f"a{n}"))
        addresses.append(f"/{ROOT}/a{n}")
    root = SupervisorSpec(strategy="one_for_one", intensity=100_000, period=5.0, children=children)
    program = Program.of(Child(ROOT, supervisor=root))
    classes: dict[str, type[Any]] = {each.__declaration__.name: each for each in CLASSES}
    return (
        replace(
            program,
            classes={**BUILT_IN, Player.__declaration__.name: Player, **classes},
            names=Names.of(vars(cast)),
            tokens=chance.choice((60, 400, 100_000)),
            concurrency=chance.choice((1, 2, 4, 8)),
            dead_letters_to=DESK,
        ),
        addresses,
        {address for address, child in below(program.tree) if len(child.restore) > 1},
    )


def _spec(chance: Random, strategy: str, children: list[Child]) -> SupervisorSpec:
    intensity = chance.choice((3, 10, 1_000))
    return SupervisorSpec(strategy=strategy, intensity=intensity, period=5.0, children=children)


def _nested(chance: Random, addresses: list[str], above: str) -> Child:
    """A supervisor below a supervisor."""
    players = [_player(chance, f"n{n}") for n in range(1, 3)]
    addresses += [f"{above}/s/{child.id}" for child in players]
    return Child("s", supervisor=_spec(chance, chance.choice(STRATEGIES), players))


def _player(chance: Random, name: str) -> Child:
    restores: tuple[str, ...] = ("committed",)
    if chance.random() < 0.15:
        restores = ("committed", "mark:m1", "fresh")
    return Child(
        name,
        chance.choice(CLASSES),
        init={"begin": chance.choice(HOWS), "end": chance.choice(HOWS)},
        restart=chance.choice(("permanent", "permanent", "permanent", "transient")),
        shutdown=_shutdown(chance, is_one=False),
        redelivery=chance.choice(("retry", "retry", "retry", "none")),
        attempts_max=chance.randint(1, 4),
        backoff=Backoff(first=chance.choice((0.0, 0.01, 0.3)), factor=2.0, max=1.0),
        deadline=chance.choice((None, None, 0.3, 5.0)),
        breaker=chance.choice((None, None, None, 4)),
        restore=restores,
        restore_after=chance.randint(1, 3),
    )


def _shutdown(chance: Random, *, is_one: bool) -> float | str:
    if is_one:
        return chance.choice(("infinity", "infinity", 0.2))
    return chance.choice((5.0, 0.02, "brutal_kill", "infinity"))
