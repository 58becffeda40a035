"""The records of a run as trees, each below the one that caused it: two numbers a record; pure."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from perdure.ledger.causes import Stamp

Keep = Callable[[int], bool]
"""Whether the record of a seq is shown."""


class Branch(NamedTuple):
    """A record's place in a drawing: what is drawn before it, and whether it begins a tree."""

    seq: int
    stem: str
    is_root: bool


class Forest:
    """Records by what caused them; `add` takes the stamps in order, from that of `first` on."""

    def __init__(self, first: int = 1) -> None:
        self.clocks = array("Q", [0]) * first
        self.parents = array("Q", [0]) * first

    def add(self, stamp: Stamp) -> None:
        """Take one more record.

        One that no message led to is below the record before it of its actor.
        """
        own = stamp.after[-1] if stamp.actor and stamp.after else 0
        self.clocks.append(stamp.clock)
        self.parents.append(stamp.cause or own)

    def around(self, wanted: Keep) -> Keep:
        """The wanted records, all that led to each, and what each led to at once."""
        kept = bytearray(len(self.parents))
        for seq in range(1, len(self.parents)):
            above = self.parents[seq]
            if wanted(seq):
                kept[seq] = 1
                while above and not kept[above]:
                    kept[above] = 1
                    above = self.parents[above]
        near = bytearray(kept)
        for seq in range(1, len(self.parents)):
            if self.parents[seq] and wanted(self.parents[seq]):
                near[seq] = 1
        return lambda seq: near[seq] == 1

    def draw(self, keep: Keep, depth_max: int) -> Iterator[Branch]:
        """The kept records as trees, one after the other, branches in order of seq.

        What is deeper than `depth_max` goes on as a tree of its own after the one it is cut from.
        """
        first, following = self._links(keep)
        for seq in range(1, len(self.parents)):
            if not keep(seq) or (self.parents[seq] and keep(self.parents[seq])):
                continue
            roots = deque([seq])
            while roots:
                yield from _tree(roots, first, following, depth_max)

    def _links(self, keep: Keep) -> tuple[array[int], array[int]]:
        """Of each record the first that it caused, and the next of the same cause."""
        first = array("Q", bytes(8 * len(self.parents)))
        following = array("Q", bytes(8 * len(self.parents)))
        for seq in range(len(self.parents) - 1, 0, -1):
            above = self.parents[seq]
            if above and keep(seq):
                following[seq] = first[above]
                first[above] = seq
        return first, following


def _tree(
    roots: deque[int], first: array[int], following: array[int], depth_max: int
) -> Iterator[Branch]:
    """The tree below the first of `roots`; where it is cut, `roots` gets what is to be drawn next.

    The branches of one record are walked one by one: it may have caused a million.
    """
    root, cut = roots.popleft(), list[int]()
    yield Branch(root, "", True)
    stack = [("", first[root])]
    while stack:
        stem, seq = stack.pop()
        if not seq:
            continue
        if len(stack) >= depth_max:
            cut += _row(seq, following)
            continue
        is_last = not following[seq]
        yield Branch(seq, stem + ("└─ " if is_last else "├─ "), False)
        stack.append((stem, following[seq]))
        stack.append((stem + ("   " if is_last else "│  "), first[seq]))
    roots.extendleft(reversed(cut))


def _row(seq: int, following: array[int]) -> Iterator[int]:
    """A record, and those of the same cause after it."""
    while seq:
        yield seq
        seq = following[seq]
