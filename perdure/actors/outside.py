"""The run's door: messages from outside, answers to the outside, and what is sent to the kernel."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from perdure.actors.cancelling import cancel
from perdure.actors.failures import failure_of
from perdure.actors.forked import end_in_children
from perdure.actors.futures import Future
from perdure.actors.reloading import Loaded, Reloaded, Reloading
from perdure.errors import BlockingCall, InboxFull, PerdureError, TurnClosed
from perdure.ids import KERNEL_ID, MessageId, check_address
from perdure.ledger.group import nothing
from perdure.ledger.journal import pack_plain
from perdure.ledger.keys import STATUS_KEY, dead_key
from perdure.ledger.records import Kind, Lane, Row
from perdure.ledger.rows import StatusRow, pack_row
from perdure.limits import POSTS_QUEUED_MAX
from perdure.mailbox.control import (
    Exit,
    Ignored,
    Reason,
    Started,
    StartFailed,
    Stopped,
)
from perdure.mailbox.envelope import Envelope, ReplyTo
from perdure.mailbox.signals import Replace

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

REPLACE = Replace.__name__
Post = tuple[str, object]
"""(address, message)."""

Drafted = tuple[bytes, Row | None]
"""A message as `Codec.draft` gives it."""


class Outside:
    """Journals what comes in before it is handled; lets nothing out before it is durable."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.first_posts: list[Post] = []
        self.requeued: set[bytes] = set()  # keys of dead letters that are none, not yet durably
        self.is_up = kernel.machine.flag()  # the root has started, or the run is over
        self._asks: dict[tuple[int, int], Future[Any]] = {}
        self._open: dict[Future[Any], None] = {}
        self._posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_called = False  # the kernel is about to look at what was posted
        end_in_children(kernel)

    # --- in

    def tell(self, address: str, message: object) -> Future[MessageId]:
        """Send a message into the run; the receipt resolves, to its id, when it is durable."""
        check_address(address)
        receipt: Future[MessageId] = Future()
        drafted = self.kernel.book.codec.draft(message)
        self._hand_in(receipt, self._tell, address, drafted, type(message).__name__, receipt)
        return receipt

    def ask(self, address: str, message: object) -> Future[Any]:
        """Send a message into the run; the answer resolves once what it depends on is durable."""
        check_address(address)
        answer: Future[Any] = Future()
        drafted = self.kernel.book.codec.draft(message)
        self._hand_in(answer, self._ask, address, drafted, type(message).__name__, answer)
        return answer

    def cancel(self, address: str) -> Future[int]:
        """End an actor and all below it; resolves, to the record's seq, when that is durable."""
        return self.intervene(cancel, address)

    def intervene(self, function: Callable[..., int], *args: Any) -> Future[int]:
        """Run `function(kernel, *args)`, which appends a record, on the kernel thread.

        Resolves, to the record's seq, when that is durable; fails with what it refuses with.
        """
        done: Future[int] = Future()
        self._hand_in(done, self._intervene, function, args, done)
        return done

    def _intervene(
        self, function: Callable[..., int], args: tuple[Any, ...], done: Future[int]
    ) -> None:
        before = self.kernel.book.seq
        try:
            seq = function(self.kernel, *args)
        except PerdureError as refused:
            done.set_exception(refused)
            return
        except Exception as strange:
            if self.kernel.book.seq != before:
                raise  # half of it is in memory: the process ends, and none of it is in the ledger
            done.set_exception(strange)
            return
        self.kernel.dispatch.kick()
        self.kernel.barrier.when_durable(seq, lambda: done.set(seq))

    def reload(self, loaded: Loaded, addresses: Sequence[str]) -> Future[Reloaded]:
        """Have actors run other code; resolves when that is durable."""
        done: Future[Reloaded] = Future()
        self._hand_in(done, self._reload, loaded, addresses, done)
        return done

    def _reload(self, loaded: Loaded, addresses: Sequence[str], done: Future[Reloaded]) -> None:
        try:
            reloaded = Reloading(self.kernel).reload(loaded, addresses)
        except PerdureError as refused:
            done.set_exception(refused)
            return
        self.kernel.barrier.when_durable(reloaded.seq, lambda: done.set(reloaded))

    def _hand_in(self, future: Future[Any], function: Any, *args: Any) -> None:
        self._open[future] = None
        future.add_done_callback(self._close)
        if self.kernel.ended.is_set():
            self.abandon()
            return
        if len(self._posted) >= POSTS_QUEUED_MAX:
            self._wait_for_kernel()
        self._posted.append((function, args))
        if not self._is_called:  # waking a loop is a system call, so a thousand posts wake it once
            self._is_called = True
            self.kernel.on_kernel(self._take_in)

    def _wait_for_kernel(self) -> None:
        """Who posts more than the kernel takes in waits until it has (G12)."""
        kernel = self.kernel
        if kernel.thread_id not in (0, threading.get_ident()):  # it has begun, and is another
            with suppress(TurnClosed, BlockingCall):
                kernel.ask_kernel(nothing)

    def _close(self, future: Future[Any]) -> None:
        self._open.pop(future, None)

    def _take_in(self) -> None:
        """Do what was posted; whoever posts something from here on calls again."""
        self._is_called = False
        for _ in range(len(self._posted)):
            function, args = self._posted.popleft()
            function(*args)

    def _admitted(self, address: str, future: Future[Any]) -> int | None:
        """The id of the actor that a message is for, 0 if there is none; None: it is refused."""
        if self.kernel.ending.is_over:
            future.set_exception(TurnClosed("the run is over: it takes no more messages."))
            return None
        to = self.kernel.book.find(address)
        try:
            self.kernel.pressure.admit(address, to)
        except InboxFull as full:
            future.set_exception(full)
            return None
        return to

    def _tell(self, address: str, drafted: Drafted, type: str, receipt: Future[MessageId]) -> None:
        to = self._admitted(address, receipt)
        if to is None:
            return
        env = self._envelope(to, address, drafted, type, None)
        seq = self.post([env], "outside")
        self.kernel.barrier.when_durable(seq, lambda: receipt.set(env.id))

    def _ask(self, address: str, drafted: Drafted, type: str, answer: Future[Any]) -> None:
        to = self._admitted(address, answer)
        if to is None:
            return
        seq = self.kernel.book.seq + 1
        self._asks[seq, 0] = answer
        env = self._envelope(to, address, drafted, type, (KERNEL_ID, seq, 0, ""))
        if type == REPLACE and to:
            env.lane = Lane.CONTROL  # between two turns, before what waits
        self.post([env], "outside")

    def _envelope(self, to: int, address: str, drafted: Drafted, type: str, reply: Any) -> Envelope:
        dead = None if to else (address, "no such actor")
        env = Envelope(to, drafted[0], type, KERNEL_ID, reply=reply, dead=dead)
        env.row = drafted[1]
        return env

    def post(
        self,
        out: list[Envelope],
        origin: str,
        requeued: tuple[int, int] | None = None,
        about: tuple[str, str, bool | None, bytes | None] = ("", "", None, None),
    ) -> int:
        """Journal messages from outside, then deliver them; returns the record's seq.

        `about` a post of another process is its id and verb, whether it was done, and its outcome.
        """
        book = self.kernel.book
        book.address_out(out)
        out = out + self.kernel.news.notices(out)
        wires = book.wires(out, KERNEL_ID)
        post_id, *became = about
        fields = (book.now_ns(), wires, post_id, origin, requeued, *became)
        seq = book.append(Kind.POST, fields, pack_plain)
        if requeued is not None:
            key = dead_key(*requeued)
            book.open.delete(key)
            book.dead_letters -= 1
            self.requeued.add(key)
            self.kernel.barrier.when_durable(seq, lambda: self.requeued.discard(key))
        book.deliver(seq, out)
        self.kernel.dispatch.kick()
        return seq

    # --- out

    def answer(self, reply: ReplyTo, ok: bool, value: bytes, seq: int) -> None:
        """An outside ask was answered by the record `seq`: tell it when that is durable."""
        if reply[3]:
            self.kernel.door.answered(reply, ok, value)
            return
        answer = self._asks.pop((reply[1], reply[2]), None)
        if answer is None:
            return
        decoded = self.kernel.book.editions.read(value)

        def release() -> None:
            if ok:
                answer.set(decoded)
            else:
                answer.set_exception(failure_of(*decoded))

        self.kernel.barrier.when_durable(seq, release)

    def abandon(self) -> None:
        """The run is over: nobody waits for ever."""
        self.is_up.set()
        error = self.kernel.ending.error
        for future in list(self._open):
            if not future.is_done:
                future.set_exception(
                    error
                    if isinstance(error, Exception)
                    else TurnClosed("the run is over: what was asked or told is not handled.")
                )

    # --- to the kernel: it is the root's supervisor

    def to_kernel(self, env: Envelope) -> None:
        """Handle a control message of the root."""
        message = self.kernel.book.codec.decode(env.body)
        if isinstance(message, Started):
            self.kernel.loop.call_soon(self.begin_run)
        elif isinstance(message, StartFailed):
            self._root_ended(message.reason, "could not start")
        elif isinstance(message, Ignored):
            self._root_ended(message.reason, "did not start")
        elif isinstance(message, Exit):
            self._root_ended(message.reason, "ended")
        elif isinstance(message, Stopped):
            return

    def _root_ended(self, reason: Reason, what: str) -> None:
        self.kernel.loop.call_soon(self.kernel.ending.begin, "failed", f"the root {what}: {reason}")

    def begin_run(self) -> None:
        """The tree is up. Post the scenario's first messages, once in the life of a run.

        The tree is durable before: should one of them end the process, there is a run to resume.
        """
        if self.kernel.ending.status.status == "starting":
            self.kernel.barrier.when_durable(self.kernel.book.seq, self._post_first)
        else:
            self.is_up.set()

    def _post_first(self) -> None:
        kernel = self.kernel
        self.is_up.set()
        if kernel.ending.status.status != "starting":
            return
        book = kernel.book
        out = []
        for address, message in self.first_posts:
            drafted, to = book.codec.draft(message), book.find(address)
            out.append(self._envelope(to, address, drafted, type(message).__name__, None))
        self.post(out, "scenario")
        kernel.ending.status = StatusRow("running", "", None)
        book.open.puts[STATUS_KEY] = pack_row(kernel.ending.status)
