"""Names of things: addresses of actors, refs to them, ids of messages. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from perdure.errors import UsageError
from perdure.limits import ADDRESS_BYTES_MAX, NAME_BYTES_MAX

KERNEL_ID = 0
"""The actor id of the kernel itself: parent of the root, sender of outside messages."""


_NUMBER = re.compile(
    r"[+-].*|[\d.,_:]*\d[\d.,_:]*([eE][+-]?\d+)?|\d.{0,3}:.*|\d{4}-?\d\d-?\d\d([T ].*)?", re.DOTALL
)


class Ref(NamedTuple):
    """A name for an actor: its address. It resolves each time it sends, so it outlives restarts.

    Refs are values: they travel in messages and live in state.

    >>> Ref("/survey/editor").name
    'editor'
    """

    address: str

    @property
    def name(self) -> str:
        """The last segment of the address."""
        return self.address.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return self.address


class MessageId(NamedTuple):
    """(seq of the sending record, index in it): unique in a run, in order of sending.

    >>> str(MessageId(4, 1))
    '4.1'
    """

    seq: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on an id

    def __str__(self) -> str:
        return f"{self.seq}.{self.index}"

    @classmethod
    def parse(cls, text: str) -> MessageId:
        """The id that `str()` wrote. Raises `UsageError` for anything else."""
        seq, _, index = text.partition(".")
        if not (_fits(seq, 64) and _fits(index, 32)):
            raise UsageError(
                f"{text[:40]!r} is not a message id. Ids look like 4.1: "
                "`perdure dead RUN` lists them."
            )
        return cls(int(seq), int(index))


def _fits(digits: str, bits: int) -> bool:
    return digits.isdecimal() and len(digits) <= 20 and int(digits) >> bits == 0


def check_name(name: str) -> str:
    """`name`, if it can be one segment of an address; raises `UsageError` that says why not."""
    if not name or "/" in name or name in (".", "..") or not name.isprintable():
        raise UsageError(
            f"{name!r} cannot name an actor: a name is printable, without '/', and not '.' or '..'."
        )
    if len(name.encode()) > NAME_BYTES_MAX:
        raise UsageError(
            f"the name {name[:40]!r}… has {len(name.encode())} of at most {NAME_BYTES_MAX} bytes."
        )
    return name


def check_address(address: str) -> None:
    """Raise `UsageError` for what can be no address, whoever answers to it: it must be a text.

    >>> check_address("/trip/planner")
    """
    try:
        address.encode()
    except (AttributeError, UnicodeEncodeError):
        raise UsageError(
            f"{address!r} is no address. Give a text like '/trip/planner'; `perdure tree` has them."
        ) from None


def is_number(name: str) -> bool:
    """Whether a name reads as a number, a time or a date, or has a sign: no mark's can.

    >>> [is_number(name) for name in ("17", "-1", "+1.5", "1e3", "00:01", "2026-05-01", "draft-2")]
    [True, True, True, True, True, True, False]
    """
    return _NUMBER.fullmatch(name.strip()) is not None


def join(address: str, name: str) -> str:
    """The address of the child `name` of `address`."""
    child = f"{address}/{check_name(name)}"
    if len(child.encode()) > ADDRESS_BYTES_MAX:
        raise UsageError(
            f"the address {child[:60]}… has {len(child.encode())} of at most "
            f"{ADDRESS_BYTES_MAX} bytes."
        )
    return child


def parent(address: str) -> str:
    """The address above `address`; the root's is ''."""
    return address.rsplit("/", 1)[0]


def resolve(base: str, path: str) -> str:
    """`path` as seen from the actor at `base`: absolute, or relative with `..` (its parent) first.

    >>> resolve("/trip/planner", "../researcher")
    '/trip/researcher'
    """
    if path.startswith("/"):
        return path
    parts = base.split("/")
    for segment in path.split("/"):
        if segment == "..":
            if len(parts) < 2:
                raise UsageError(f"{path!r} goes above the root, seen from {base}.")
            parts.pop()
        elif segment not in ("", "."):
            parts.append(check_name(segment))
    return "/".join(parts)


def check_artifact(path: str) -> None:
    """Raise `UsageError` unless `path` is a plain relative path."""
    parts = path.split("/")
    if not path or path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise UsageError(
            f"{path!r} cannot name an artifact: use a relative path without '..', like report.txt."
        )
    if "\0" in path or len(path.encode()) > 2 * NAME_BYTES_MAX:
        raise UsageError(
            f"the artifact path {path[:40]!r}… has {len(path.encode())} of at most "
            f"{2 * NAME_BYTES_MAX} bytes, and no NUL."
        )
