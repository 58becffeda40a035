"""The end of a world: no faults any more, and all work must get done."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from perdure.ledger import keys, rows
from perdure.ledger.images import materialise, read_images
from perdure.ledger.keys import Table
from perdure.ledger.records import Life
from perdure.ledger.rows import unpack_row
from perdure.ledger.states import scan_states
from perdure.simulation.acts import Acts
from perdure.simulation.cast import Work
from perdure.simulation.lives import Process

if TYPE_CHECKING:
    from perdure.simulation.world import World

LOOK_SECONDS = 1.0
LOOKS_MAX = 1_200
SHOWN = 5


class Ending:
    """Lets a run come to rest, and looks at what it came to."""

    def __init__(self, acts: Acts, process: Process) -> None:
        self.acts = acts
        self.process = process
        self.checks = acts.checks
        self.outside = acts.outside

    def play(self, world: World) -> None:
        """Wait until nothing is left to do; then nothing must be left."""
        process, hands = self.process, world.hands
        is_up = process.run.kernel.outside.is_up
        hands.wait(hands.current.life, lambda: is_up.is_set() or process.is_over, 60.0)
        if not process.is_over:
            self.acts.arrive(process)
        left: list[str] = ["everything"]
        has_spent = False
        for _ in range(LOOKS_MAX):
            hands.wait(hands.current.life, lambda: process.is_over, LOOK_SECONDS)
            if process.is_over or world.is_over:
                break
            left = self._left()
            if not left and has_spent:
                break
            if not left:
                has_spent = True
                self._spend()
            self._help()
        if not process.is_over:
            process.run.drain()
            hands.wait(hands.current.life, lambda: process.is_over, 60.0)
        status = world.end(process)
        if self.outside.violations:
            return
        if status == "failed":
            return  # its root has ended
        for text in left[:SHOWN]:
            self.outside.violations.append(f"liveness: {text}")
        self._look_at_the_end()

    def _spend(self) -> None:
        """Several ask for what is left of the money at once: each has some, or is refused."""
        for number, to in enumerate(self.acts.addresses * 2):
            plot = [["call", "bank.pay", "slow"]]
            self.process.run.tell(to, Work(f"z{number}", plot))

    def _help(self) -> None:
        """What people would do: release, repair, and hand over what is in the spool again."""
        self.acts.arrive(self.process)
        for address in self.acts.suspended():
            fields = {"address": address, "on": False}
            self.acts.post(self.process, "suspend", fields)
        self.acts.repair(self.process)

    def _left(self) -> list[str]:
        """What is still to be done, as the tables say."""
        store = self.checks.store
        found = [f"post {id} is not taken" for id in self.acts.spool]
        for key, _ in store.scan(bytes([Table.INBOX])):
            actor, lane, seq, index = keys.inbox_id(key)
            row = unpack_row(rows.ActorRow, store.get(keys.actor_key(actor)) or b"")
            life = Life(row.life).name
            found.append(f"message {seq}.{index} waits for {row.address}, lane {lane}, {life}")
        for key, _ in store.scan(bytes([Table.TIMER])):
            found.append("a timer for message {1}.{2}".format(*keys.timer_id(key)))
        for key, _ in store.scan(bytes([Table.UNRELEASED])):
            found.append(f"artifact {key[1:].decode()} is not in place")
        return found + [
            f"{row.address} is {Life(row.life).name}"
            for row in self.acts.actors()
            if row.life in (Life.STARTING, Life.DOWN)
        ]

    def _look_at_the_end(self) -> None:
        """All is done: what it came to must be what the journal says."""
        model, wrong = self.checks.model, self.outside.violations
        for id in self.acts.expected:
            if model.posts[id] != 1:
                wrong.append(f"G2: post {id} was done {model.posts[id]} times")
        if self.checks.fold.reserved:
            wrong.append(f"G8: {self.checks.fold.reserved} tokens are reserved, and nobody works")
        for path, digests in model.artifacts.items():
            data = self.outside.artifacts.get(path)
            if data is None or blake2b(data, digest_size=32).digest() != digests[-1]:
                wrong.append(f"artifact {path} is not what its newest record says")
        self._compare_states()

    def _compare_states(self) -> None:
        """What an actor remembers is the work that its turns have handled, in their order."""
        model = self.checks.model
        for actor, row in scan_states(self.checks.store):
            if actor in model.unreliable or not model.classes.get(actor, "").startswith("sim."):
                continue
            image = read_images(row.images).get("seen")
            seen = [] if image is None else list(materialise(image, model.codec.decode))
            if seen != model.handled.get(actor, []):
                self.outside.violations.append(
                    f"G1: {model.addresses[actor]} remembers {len(seen)} works, and has handled "
                    f"{len(model.handled.get(actor, []))}"
                )
