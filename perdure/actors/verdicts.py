"""What people say about steps in doubt and actors that wait for a repair, as records.

A step that a verdict ends has a RESULT record after the VERDICT, as any other has: it settles the
step's tokens, and later attempts meet it as they would meet one of the handler's making.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.cell import Cell, Step
from perdure.actors.doubts import twice
from perdure.actors.unsettled import charge_inboxes, end
from perdure.errors import UsageError
from perdure.ledger.records import Dead, Kind
from perdure.ledger.steprecords import CANCELLED, REFUTED
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.lives import LifeChange

GIVEN_UP = "given up by a verdict"
KILLS = "kills_process"


class Verdicts:
    """Brings verdicts about; the actor's inbox and steps are loaded."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    # --- on a step

    def happened(self, cell: Cell, env: Envelope, key: str, value: bytes) -> None:
        """A step in doubt has this result, and is paid for."""
        self._append(cell, env, key, "happened", self.kernel.book.blobs.small(value))
        step = self._step(env, key)
        self._end(cell, env, key, True, value, step.reserved)
        self.kernel.interruptions.progress(env)
        cell.attempts = cell.not_before = 0
        self._clear(cell)

    def did_not_happen(self, cell: Cell, env: Envelope, key: str) -> None:
        """A step in doubt is begun anew by the next attempt; what it reserved is free."""
        self._append(cell, env, key, "did-not-happen")
        cell.attempts = cell.not_before = 0
        text = "a person looked, and it had not happened"
        value = self.kernel.book.codec.encode((REFUTED, text, ""))
        self._end(cell, env, key, False, value, 0)
        self._clear(cell)

    def _step(self, env: Envelope, key: str) -> Step:
        step: Step = (env.steps or {})[key]
        return step

    def _end(self, cell: Cell, env: Envelope, key: str, ok: bool, value: bytes, spent: int) -> None:
        """Record what a step ended with, outside of any turn."""
        end(self.kernel.book, cell, env, key, ok, value, spent)

    # --- on an actor that waits for a repair

    def again(self, cell: Cell) -> None:
        """Look again at what stopped an actor."""
        self._append(cell, None, None, "again")
        self._clear(cell)

    def forget(self, cell: Cell, *, redo: bool = False) -> None:
        """Have the message handled as if it were new: without its steps, and what they led to.

        Raises `UsageError` when an effect of it would happen twice, or could: unless it may, by
        `redo`.
        """
        env = self._head(cell)
        said = "" if redo else twice(self.kernel.book, cell, env)
        if said:
            raise UsageError(said)
        lives, dead, out = self._settle(cell, env, [])
        seq = self._append(cell, env, None, "forget", dead=dead, lives=lives, out=out)
        self.kernel.book.drop_steps(cell, env)
        self.kernel.lives.apply(lives, dead)
        cell.attempts = cell.not_before = 0
        self._clear(cell)
        self.kernel.book.deliver(seq, out)

    def dead(self, cell: Cell) -> None:
        """Make the message that stopped an actor a dead letter."""
        self._give_up(cell, self._head(cell), "dead", GIVEN_UP)

    def kills_process(self, cell: Cell, deaths: int) -> None:
        """The kernel's own verdict: a message was running at too many deaths of its process."""
        env, kernel = self._head(cell), self.kernel
        reason = f"{KILLS}: it was running at {deaths} deaths of its process in a row"
        self._give_up(cell, env, KILLS, reason)
        kernel.news.killed(cell, env, reason)

    def _give_up(self, cell: Cell, env: Envelope, verdict: str, reason: str) -> None:
        kernel, book = self.kernel, self.kernel.book
        row = Dead(env.seq, env.index, cell.address, reason, cell.attempts)
        lives, dead, out = self._settle(cell, env, [row])
        seq = self._append(cell, env, None, verdict, dead=dead, lives=lives, out=out)
        book.consume(cell, env)
        book.bury(row, env.reply)
        kernel.lives.apply(lives, dead)
        cell.attempts = cell.not_before = 0
        self._clear(cell)
        book.deliver(seq, out)

    def _head(self, cell: Cell) -> Envelope:
        if not cell.inbox:
            raise UsageError(
                f"{cell.address} has no message that could be given up or begun anew: it stopped "
                f"at its own start or stop. `perdure clear RUN {cell.address} --again` looks again."
            )
        return cell.inbox[0]

    def _settle(
        self, cell: Cell, env: Envelope, dead: list[Dead]
    ) -> tuple[list[LifeChange], list[Dead], list[Envelope]]:
        """Charge what steps still reserve: they may have happened.

        Returns the ends of children that the message had spawned, the dead letters that makes, and
        the notices of these.
        """
        for key, step in list((env.steps or {}).items()):
            if step.reserved:
                text = "what became of it was given up"
                value = self.kernel.book.codec.encode((CANCELLED, text, ""))
                self._end(cell, env, key, False, value, step.reserved)
        lives = self.kernel.lives.expand(self.kernel.spawning.orphans(env))
        charge_inboxes(self.kernel, lives)
        dead = dead + self.kernel.lives.doomed(lives)
        out = self.kernel.watching.ends(lives) + self.kernel.news.notices_of(dead)
        return lives, dead, out

    # --- the record

    def _append(
        self,
        cell: Cell,
        env: Envelope | None,
        key: str | None,
        verdict: str,
        value: bytes | None = None,
        *,
        dead: list[Dead] | None = None,
        lives: list[LifeChange] | None = None,
        out: list[Envelope] | None = None,
    ) -> int:
        book = self.kernel.book
        message = None if env is None else (env.seq, env.index)
        wires = book.wires(out or [], cell.id)
        what = (cell.id, message, key, verdict, value, dead or (), lives or ())
        return book.append(Kind.VERDICT, (book.now_ns(), wires, *what))

    def _clear(self, cell: Cell) -> None:
        cell.stalled = ""
        cell.row_dirty = True
        self.kernel.book.touch(cell)
