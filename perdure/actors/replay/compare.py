"""What a replayed turn did against what is recorded of it, both sides; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from perdure.ids import KERNEL_ID
from perdure.ledger.images import Delta, Image, apply, materialise
from perdure.ledger.records import Crash, Lane, Life, Send, Turn

Decode = Callable[[bytes], Any]
NONE = "none"
FIELDS = (
    "answer",
    "artifacts",
    "finish",
    "rejected",
    "life",
    "lives",
    "notes",
    "marks",
    "specs",
    "watches",
)


class Difference(NamedTuple):
    """One thing that differs; `before` is what a field held as the turn began."""

    what: str
    recorded: str
    replayed: str
    before: str | None = None


class Intended(NamedTuple):
    """A message that a replayed turn sends; `due` is the span of ledger time it may be due in."""

    to: str  # address
    body: bytes
    lane: int
    cost: float
    est: float | None
    due: tuple[int, int] | None


class Did(NamedTuple):
    """What a replayed turn did, in the terms of its record."""

    delta: Delta
    state_hash: bytes
    sends: Sequence[Intended]
    answer: Any = None
    artifacts: Any = ()
    finish: bytes | None = None
    rejected: str | None = None
    life: int | None = None
    lives: Any = ()
    notes: Any = ()
    marks: Any = ()
    specs: Any = ()
    watches: Any = ()


def differences(
    body: Turn, did: Did, images: Mapping[str, Image], address: Callable[[int], str], decode: Decode
) -> list[Difference]:
    """Where a closed turn differs from its record; nothing, if it is the same.

    `images` are those from before the turn, `address` names an actor id, `decode` reads a value.
    """
    found: list[Difference] = []
    if did.delta != body.delta:
        found += _fields(images, body.delta, did.delta, decode)
    elif did.state_hash != body.state_hash:
        found.append(Difference("state hash", body.state_hash.hex(), did.state_hash.hex()))
    found += sent(body, did.sends, address, decode)
    for name in FIELDS:
        recorded, replayed = getattr(body, name), getattr(did, name)
        if recorded != replayed and (recorded or replayed):
            found.append(
                Difference(name, *(_shown(name, each, decode) for each in (recorded, replayed)))
            )
    return found


# --- state


def _fields(
    images: Mapping[str, Image], recorded: Delta, replayed: Delta, decode: Decode
) -> Iterator[Difference]:
    """The fields that differ, each with its value before; else how the same change is written."""
    before = {name: copied(image) for name, image in images.items()}
    sides = []
    for delta in (recorded, replayed):
        after = {name: copied(image) for name, image in before.items()}
        apply(after, delta)
        sides.append(after)
    names = dict.fromkeys(entry[0] for entry in (*recorded, *replayed))
    is_told = False
    for name in names:
        values = [_value(side.get(name), decode) for side in (*sides, before)]
        if values[0] != values[1]:
            is_told = True
            yield Difference(name, values[0], values[1], values[2])
    if not is_told:
        yield Difference("how the state changes", repr(recorded), repr(replayed))


def copied(image: Image) -> Image:
    """An image that shares no list with another."""
    return image._replace(ops=list(image.ops))


def _value(image: Image | None, decode: Decode) -> str:
    return "not there" if image is None else repr(materialise(image, decode))


# --- messages


def sent(
    body: Turn | Crash, sends: Sequence[Intended], address: Callable[[int], str], decode: Decode
) -> list[Difference]:
    """The first message that differs; notices, which the kernel adds, are no part of a turn."""
    recorded = [send for send in (Send(*wire) for wire in body.sends) if send.sender != KERNEL_ID]
    for at in range(max(len(recorded), len(sends))):
        there = recorded[at] if at < len(recorded) else None
        new = sends[at] if at < len(sends) else None
        if there is None or new is None or not _same(there, new, address):
            what = f"message {at + 1} of {len(recorded)} that it sends"
            return [Difference(what, _recorded(there, address, decode), _replayed(new, decode))]
    return []


def _same(there: Send, new: Intended, address: Callable[[int], str]) -> bool:
    if there.body != new.body or there.lane != new.lane:
        return False
    to = there.dead[0] if there.dead else address(there.to)
    is_due = there.due is None if new.due is None else _within(there.due, new.due)
    return to == new.to and (there.cost, there.est) == (new.cost, new.est) and is_due


def _within(due: int | None, span: tuple[int, int]) -> bool:
    return due is not None and span[0] <= due <= span[1]


def _recorded(send: Send | None, address: Callable[[int], str], decode: Decode) -> str:
    if send is None:
        return NONE
    to = send.dead[0] if send.dead else address(send.to)
    return _message(to, send.body, send.lane, send.cost, send.est, send.due, decode)


def _replayed(send: Intended | None, decode: Decode) -> str:
    if send is None:
        return NONE
    due = None if send.due is None else send.due[0]
    return _message(send.to, send.body, send.lane, send.cost, send.est, due, decode)


def _message(
    to: str, body: bytes, lane: int, cost: float, est: float | None, due: int | None, decode: Decode
) -> str:
    text = f"{decode(body)!r} to {to or 'the kernel'}"
    if lane == Lane.CONTROL:
        return text
    more = [f"cost {cost:g}", f"est {est:g}" if est is not None else ""]
    more.append(f"due at {due}" if due is not None else "")
    return f"{text} ({', '.join(part for part in more if part)})"


def _shown(name: str, value: Any, decode: Decode) -> str:
    if not value:
        return NONE
    match name:
        case "answer":
            return f"{'' if value[1] else 'a failure: '}{decode(value[2])!r}"
        case "finish":
            return repr(decode(value))
        case "life":
            return Life(value).name.lower()
        case "artifacts":
            parts = [
                f"{path}, {size:,} bytes ({digest.hex()[:16]})" for path, digest, size in value
            ]
            return "; ".join(parts)
        case _:
            return str(value)
