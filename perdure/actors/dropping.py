"""The owner's part of compacting a run that goes on: what goes is dropped in portions, with groups.

What is to go was found by another process, which folded the journal meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from perdure.errors import UsageError
from perdure.ledger.compaction import Plan, drops
from perdure.ledger.group import Drop
from perdure.ledger.keys import BASE_KEY
from perdure.ledger.records import Kind
from perdure.ledger.rows import BaseRow, pack_row
from perdure.limits import DROP_RECORDS_MAX

if TYPE_CHECKING:
    from perdure.actors.book import Book


class Dropping:
    """Portions that wait to be dropped; each goes with the next group that is sealed.

    Blobs that nothing referred to are *suspects* at first: the run forgets that it has them, so
    that who uses one hands it over again. What was not, goes, once the other process has looked at
    the records until then.
    """

    def __init__(self, book: Book) -> None:
        self.book = book
        self._first: Drop | None = None  # goes with the record itself
        self._portions: deque[Drop] = deque()
        self._after = 0  # the record that has to be durable first
        self._cut = 0
        self._blobs: deque[bytes] = deque()

    @property
    def has_more(self) -> bool:
        """Whether there is something to drop now."""
        return bool(self._portions or self._blobs) and self.book.durable >= self._after

    def begin(self, plan: Plan) -> int:
        """Record the bases of a plan, and begin to drop; returns the record.

        Raises `UsageError` for a plan that does not fit this run, before it changes anything.
        """
        book = self.book
        self._check(plan)
        seq = 0
        if plan.is_new:
            seq = book.append(Kind.BASE, (book.now_ns(), (), *plan.fields()))
            book.open.puts[BASE_KEY] = pack_row(BaseRow(seq, plan.at, plan.bases))
            book.open.blobs.update(plan.blobs)
            book.open.bytes += sum(map(len, plan.blobs.values()))
        self._after, self._cut = book.seq, plan.at
        records_only = Plan(plan.at, left=plan.left, cut_before=plan.cut_before)
        self._first = Drop(plan.at) if plan.is_new else None
        self._portions.extend(drops(records_only))
        book.blobs.suspect(plan.unused)
        return seq

    def _check(self, plan: Plan) -> None:
        if self._first or self._portions or self._blobs:
            raise UsageError("the run is being compacted already. Wait until that is done.")
        head = self.book.store.head()
        is_ahead = plan.is_new and head.cut < plan.at <= head.seq
        raw = self.book.store.record(plan.at) if is_ahead else None
        fits = raw is not None and raw.hash == plan.hash
        if not (fits or (not plan.is_new and plan.at == head.cut)):
            raise UsageError(
                f"the plan cuts at record {plan.at}, and the run was compacted up to {head.cut} "
                "meanwhile, or is another one. Compact again."
            )

    def drop_blobs(self, digests: Iterable[bytes]) -> int:
        """Drop those suspects that nothing has used since they are; how many."""
        found = self.book.blobs.unused(digests)
        self._blobs.extend(found)
        return len(found)

    def next(self) -> Drop | None:
        """The portion that goes with the group that is sealed now."""
        first, self._first = self._first, None
        if first is not None or not self.has_more:
            return first
        if self._portions:
            return self._portions.popleft()
        still = [self._blobs.popleft() for _ in range(min(len(self._blobs), DROP_RECORDS_MAX))]
        return Drop(self._cut, blobs=tuple(self.book.blobs.settle(still)))
