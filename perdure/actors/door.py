"""The door of a run: what other processes ask of it is done once, and its outcome kept.

A post is done and journaled in one piece: the records of what was done, if there are any, and one
POST record, which has the post's id and what came of it. It lies in the same group as they do, so a
post whose id the ledger has is done, and one whose id it has not has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.actors.events import Event
from perdure.errors import LedgerError, PerdureError, UsageError
from perdure.ledger.keys import posted_key
from perdure.ledger.messages import suggest
from perdure.ledger.rows import PostedRow, pack_row, unpack_row
from perdure.ledger.spool import Post
from perdure.mailbox.envelope import Envelope, ReplyTo

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Taken(NamedTuple):
    """What a verb did with a post: what it says, and what the post's own record is to send.

    `said` is plain JSON. With `waits`, one of the messages is a question of the post's, and what it
    is answered with is the outcome.
    """

    said: Any = None
    out: tuple[Envelope, ...] = ()
    requeued: tuple[int, int] | None = None
    waits: bool = False


Perform = Callable[["Kernel", Post], Taken]
"""Does what a post asks, on the kernel thread. Raises `PerdureError` before it changes anything."""


class Verb(NamedTuple):
    """What other processes can ask: who does it, and the fields it takes, with their JSON types."""

    perform: Perform
    fields: Mapping[str, type | tuple[type, ...]]


class Door:
    """Takes posts on the kernel thread."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.verbs: Mapping[str, Verb] = {}
        self.is_taking = False
        self.handed = 0  # posts; only the doorkeeper counts here
        self.taken = 0
        self.has_more = False  # posts are in the spool that nobody has looked at
        self._fresh: dict[str, bytes] = {}  # rows of posts that are not durable yet

    @property
    def is_busy(self) -> bool:
        """Whether a post is on its way in: the run is not over."""
        return self.has_more or self.handed != self.taken

    def hand(self, post: Post, done: Callable[[], object]) -> None:
        """Have a post taken soon; for the doorkeeper's thread, and no other."""
        self.handed += 1
        self.kernel.on_kernel(self.take, post, done)

    def take(self, post: Post, done: Callable[[], object]) -> None:
        """Do what a post asks, if that was not done before.

        `done` is called once it is durable that it was. In a run that ends, the post stays.
        """
        self.taken += 1
        if self.kernel.ending.has_begun or post.id in self._fresh:
            return
        if self.kernel.book.store.get(posted_key(post.id)) is not None:
            done()  # an earlier process died before it could unlink it
            return
        with self._in_one_piece():
            seq = self._journal(post)

        def durable() -> None:
            self._fresh.pop(post.id, None)
            done()

        self.kernel.barrier.when_durable(seq, durable)

    @contextmanager
    def _in_one_piece(self) -> Iterator[None]:
        """No planned crash comes between two records of one post."""
        self.is_taking = True
        try:
            yield
        finally:
            self.is_taking = False

    def _journal(self, post: Post) -> int:
        taken, ok, value = self._done(post)
        outside, book = self.kernel.outside, self.kernel.book
        about = (post.id, post.verb, ok, value)
        row, key = PostedRow(post.verb, book.seq + 1, ok, value), posted_key(post.id)
        self._fresh[post.id] = pack_row(row)  # a question that is dead on arrival is answered here
        seq = outside.post(list(taken.out), "ingress", taken.requeued, about)
        self._fresh[post.id] = book.open.puts.setdefault(key, pack_row(row))
        return seq

    def _done(self, post: Post) -> tuple[Taken, bool | None, bytes | None]:
        book = self.kernel.book
        seq = book.seq
        try:
            taken = self._verb(post).perform(self.kernel, post)
        except LedgerError:
            raise
        except PerdureError as refused:
            error: Exception = refused
        except Exception as strange:
            if book.seq != seq:
                raise  # half of it is in memory: the process ends, and none of it is in the ledger
            error = strange
        else:
            return (
                taken,
                None if taken.waits else True,
                book.codec.encode(taken.said, "the outcome"),
            )
        return Taken(), False, book.codec.encode((type(error).__name__, str(error)))

    def _verb(self, post: Post) -> Verb:
        verb = self.verbs.get(post.verb)
        if verb is None:
            raise UsageError(
                f"this run knows no verb {post.verb!r}.{suggest(post.verb, self.verbs)} "
                f"It knows {', '.join(self.verbs) or 'none'}."
            )
        for name in post.fields:
            if name not in verb.fields:
                raise UsageError(f"{post.verb} takes no {name!r}.{suggest(name, verb.fields)}")
        for name, kind in verb.fields.items():
            found = post.fields.get(name)
            if not isinstance(found, kind) or (isinstance(found, bool) and kind is int):
                raise UsageError(f"{post.verb} needs {name!r}; {found!r:.200} is none.")
        return verb

    # --- answers

    def answered(self, reply: ReplyTo, ok: bool, value: bytes) -> None:
        """What a post asked was answered, or its question died, by the record just appended."""
        key = posted_key(reply[3])
        raw = self._fresh.get(reply[3]) or self.kernel.book.store.get(key)
        if raw is not None:
            row = unpack_row(PostedRow, raw)
            self._keep(reply[3], row._replace(ok=ok, value=value))

    def _keep(self, post_id: str, row: PostedRow) -> None:
        self.kernel.book.open.puts[posted_key(post_id)] = pack_row(row)

    # --- what the doorkeeper says

    def looked(self) -> None:
        """The spool was looked at to its end: a run with nothing else to do may end now."""
        self.kernel.look_quiet()

    def remark(self, name: str, text: str) -> None:
        """Say what is odd about a file of the spool."""
        now_ns = self.kernel.book.now_ns()
        event = Event("ingress", now_ns, "ingress", reason=f"{name}: {text}")
        self.kernel.news.observer(event)
