"""What retries are worth when failures come back: plain ones, supervision, and the restore ladder.

`python -m benchmarks.correlated` runs cells of an agent and its sandbox, in virtual time. An
attempt fails with a chance of 0.2, whatever rho is; a share rho of that is no accident that is over
with the attempt. Half of it wedges the sandbox until that lives anew, the other half gets into the
agent's context, which is committed, and from then on each attempt fails. The three columns are the
same runs: nothing but retries; OTP's intensity beside them; and a ladder that ends at the
supervisor. Chance is that of a seed, the cell, the message and the attempt: the same figures, each
time.
"""

from __future__ import annotations

import argparse
import json
from hashlib import blake2b
from typing import Any, NamedTuple

from perdure import Actor, Backoff, Child, FakeClock, Run, SupervisorSpec, field
from perdure.ledger import records
from perdure.ledger.journal import read_record
from perdure.ledger.memory import MemoryStore
from perdure.runtime.program import Program

FAILURE = 0.2
RHOS = (0.0, 0.05, 0.2, 0.5)
CELLS, MESSAGES = 4, 50
MARK_EVERY = 5  # messages
ATTEMPTS_MAX = 9
POLICIES = {
    "retries alone": ({}, 1_000_000),
    "and intensity, 3 in 60 s": ({}, 3),
    "and a ladder": (
        {"restore": ("committed", "mark:good", "fresh", "supervisor"), "restore_after": 2},
        1_000_000,
    ),
}
WAIT_SECONDS_MAX = 300.0


class World:
    """What is outside: chance, and sandboxes that may be wedged."""

    def __init__(self) -> None:
        self.seed, self.rho = 0, 0.0
        self.wedged: set[str] = set()

    def chance(self, *what: object) -> float:
        """In [0, 1), the same for the same attempt."""
        text = "/".join(map(str, (self.seed, *what)))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


WORLD = World()


class Sandbox(Actor):
    """Where an agent works: a new life of it is a new sandbox."""

    async def on_start(self) -> None:
        WORLD.wedged.discard(self.address.rpartition("/")[0])


class Agent(Actor):
    """Does tasks by number; what it has in its context is durable."""

    context: list[str] = field(default_factory=list)

    async def on_receive(self, message: int) -> None:
        cell = self.address.rpartition("/")[0]
        draw = WORLD.chance(cell, message, self._turn.cell.crashes)
        lasting = FAILURE * WORLD.rho / 2
        if "poison" in self.context:
            raise ValueError("the context contradicts itself")
        if draw < lasting:
            WORLD.wedged.add(cell)
        if cell in WORLD.wedged:
            raise TimeoutError("the sandbox does not answer")
        if draw < FAILURE - lasting:
            raise OSError("an accident")
        self.context.append("poison" if draw < FAILURE else f"task {message}")
        if message % MARK_EVERY == 0:
            self.mark("good")


class Figures(NamedTuple):
    """What one policy came to; `attempts` of each task, `gave_up`: supervisors that did."""

    done: float
    attempts: float
    seconds: float
    restores: int
    gave_up: int


def program(policy: str) -> Program:
    options, intensity = POLICIES[policy]
    given: dict[str, Any] = {"attempts_max": ATTEMPTS_MAX, "backoff": Backoff(first=0.1)}
    agent = Child("agent", Agent, **given, **options)
    cell = SupervisorSpec(
        intensity=intensity, period=60.0, children=(Child("sandbox", Sandbox), agent)
    )
    cells = [Child(f"cell{number}", supervisor=cell) for number in range(CELLS)]
    return Program.of(
        Child("lab", supervisor=SupervisorSpec(intensity=1_000_000, children=tuple(cells)))
    )


def measure(policy: str, rho: float, seed: int, messages: int = MESSAGES) -> Figures:
    """Run the cells under a policy; each task comes when the one before it is over."""
    WORLD.seed, WORLD.rho = seed, rho
    WORLD.wedged.clear()
    store, clock = MemoryStore(), FakeClock(jumps=False)  # until all has been told
    with Run(program(policy), None, seed=seed, clock=clock, store=store) as run:
        for number in range(CELLS):
            for message in range(1, messages + 1):
                run.tell(f"/lab/cell{number}/agent", message)
        run.kernel.ask_kernel(setattr, clock, "jumps", True)
        run.wait(timeout=WAIT_SECONDS_MAX)
    return figures(store, messages)


def figures(store: MemoryStore, messages: int) -> Figures:
    """The same from the journal."""
    bodies = [read_record(raw).body for raw in store.reopened().records()]
    turns = [each for each in bodies if isinstance(each, records.Turn)]
    done = sum(turn.sched[2] > 0 for turn in turns)
    crashes = sum(isinstance(each, records.Crash) for each in bodies)
    notes = [note for turn in turns for note in turn.notes]
    tasks = CELLS * messages
    return Figures(
        done / tasks,
        (done + crashes) / tasks,
        (bodies[-1].time - bodies[0].time) / 1e9,
        sum(isinstance(each, records.Restore) for each in bodies),
        sum(note.startswith("shutdown:") for note in notes),
    )


def table(found: dict[str, dict[float, Figures]]) -> str:
    """The shares of tasks that were done, and the attempts for each, as Markdown."""
    lines = [
        "| rho | " + " | ".join(f"{policy}: done, attempts" for policy in found) + " |",
        "|--:|" + "--:|" * len(found),
    ]
    for rho in next(iter(found.values())):
        cells = (f"{each[rho].done:.0%}, {each[rho].attempts:.2f}" for each in found.values())
        lines.append(f"| {rho:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--json", action="store_true", help="print all figures")
    args = parser.parse_args()
    found = {
        policy: {rho: measure(policy, rho, args.seed, args.messages) for rho in RHOS}
        for policy in POLICIES
    }
    if args.json:
        print(
            json.dumps(
                {p: {str(rho): f._asdict() for rho, f in each.items()} for p, each in found.items()}
            )
        )
    else:
        print(table(found))


if __name__ == "__main__":
    main()
