"""Delayed messages: rows that outlive the process, sent when ledger time reaches them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from perdure.actors.timers import NS, Timer
from perdure.errors import UsageError
from perdure.ids import KERNEL_ID
from perdure.ledger.keys import timer_key
from perdure.ledger.records import Kind
from perdure.limits import WAIT_SECONDS_MAX
from perdure.mailbox.envelope import Envelope, ReplyTo

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Set(NamedTuple):
    """A delayed message that is still to be sent."""

    due: int
    env: Envelope
    timer: Timer


class Delayed:
    """Sends each once, late ones at start. Those to the kernel settle a wait (see `Waits.due`)."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._set: dict[tuple[int, int], Set] = {}
        self._of_waits: dict[ReplyTo, tuple[int, int]] = {}

    def set(self, due: int, env: Envelope) -> None:
        """Send a message when ledger time reaches `due`."""
        id = (env.seq, env.index)
        timer = self.kernel.timers.at(due, lambda: self._fire(id))
        self._set[id] = Set(due, env, timer)
        if env.to == KERNEL_ID and env.reply is not None:
            self._of_waits[env.reply] = id

    def settled(self, reply: ReplyTo) -> None:
        """A wait is over: its time no longer matters."""
        id = self._of_waits.pop(reply, None)
        if id is not None:
            self.drop(id)

    def drop(self, id: tuple[int, int]) -> None:
        """Have a message not sent; the record that says why was just appended."""
        due, env, timer = self._set.pop(id)
        timer.cancel()
        self.kernel.book.open.delete(timer_key(due, *id))
        if env.reply is not None:
            self._of_waits.pop(env.reply, None)

    def of(self, actors: Collection[int]) -> list[Envelope]:
        """The messages that some actors are to send or to get."""
        return [
            env
            for _, env, _ in self._set.values()
            if env.to != KERNEL_ID and (env.to in actors or env.sender in actors)
        ]

    def _fire(self, id: tuple[int, int]) -> None:
        env = self._set[id].env
        if env.to == KERNEL_ID and env.reply is not None:
            self.kernel.waits.due(env)  # which settles the wait, and so drops its message
            return
        self._send(id, env)

    def _send(self, id: tuple[int, int], env: Envelope) -> None:
        book = self.kernel.book
        sent = Envelope(
            env.to,
            env.body,
            env.type,
            env.sender,
            cost=env.cost,
            est=env.est,
            dead=None if env.to else env.dead,
        )
        out = [sent]
        book.address_out(out)
        out += self.kernel.news.notices(out)
        seq = book.append(Kind.TIMER, (book.now_ns(), book.wires(out, KERNEL_ID), id))
        self.drop(id)
        book.deliver(seq, out)
        self.kernel.dispatch.kick()


def due_ns(now_ns: int, seconds: float, what: str) -> int:
    """When a wait of some seconds is over; raises `UsageError` past the end of ledger time."""
    if not seconds <= WAIT_SECONDS_MAX:
        raise UsageError(
            f"{what} of {seconds:g} s is longer than {WAIT_SECONDS_MAX:,.0f} s, a hundred years. "
            "To wait for ever, ask without a timeout."
        )
    return now_ns + int(max(0.0, seconds) * NS)
