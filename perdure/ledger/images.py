"""Committed state as bytes: a field's image, the deltas that turns make to it, and their hash.

Pure, and without user classes: a ledger can be folded where the code that wrote it is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from perdure.errors import Broken
from perdure.ledger.journal import pack_plain

Decode = Callable[[bytes], Any]
Entry = tuple[Any, ...]
Delta = tuple[Entry, ...]
"""What a turn changed: (field, operation, *arguments), in the order of the declaration.

| of | operations |
|---|---|
| any field | `=` value (written whole), `-` (the class declares it no more) |
| list | `append` value, `extend` list, `setitem` i value, `delitem` i, `splice` i j list |
| dict | `setitem` key value, `delitem` key |
| set | `add` value, `discard` value |

Positions are ints >= 0; values and keys are encoded.
"""


class Image(NamedTuple):
    """The committed bytes of one field: an encoded value, and the operations on it since."""

    base: bytes
    ops: list[Entry]
    weight: int = 0  # bytes of the operations


_new_hash = blake2b(digest_size=16).copy  # a copy costs half of what a new one does
_new = tuple.__new__  # a call of the class costs three times as much
_NO_OPS: list[Entry] = []  # shared by all images without operations: a first one gets a new list


def weigh(args: Iterable[Any]) -> int:
    """The bytes that an operation adds to an image, about."""
    return 16 + sum(len(arg) for arg in args if type(arg) is bytes)


def read_images(raw: Mapping[str, Sequence[Any]]) -> dict[str, Image]:
    """The images of a state row, from the plain lists that a row is read as."""
    images = {}
    for name, (base, ops, *_) in raw.items():
        entries = [tuple(op) for op in ops]
        images[name] = Image(base, entries, sum(weigh(op) for op in entries))
    return images


def apply(images: dict[str, Image], delta: Iterable[Sequence[Any]]) -> None:
    """Fold a delta into committed images, in place; operations lists of images are shared.

    >>> images: dict[str, Image] = {}
    >>> apply(images, [("total", "=", b"7")])
    >>> images["total"].base
    b'7'
    """
    for entry in delta:
        op = entry[1]
        if op == "=":
            images[entry[0]] = _new(Image, (entry[2], _NO_OPS, 0))
        elif op == "-":
            images.pop(entry[0], None)
        else:
            name = entry[0]
            base, ops, weight = images[name]
            if not ops:
                ops = []
            ops.append(tuple(entry[1:]))
            images[name] = Image(base, ops, weight + weigh(entry[2:]))


def materialise(image: Image, decode: Decode) -> Any:
    """The value that an image stands for; a new one each time.

    Raises `Broken` for operations that no delta has.
    """
    value = decode(image.base)
    for op, *args in image.ops:
        play = _PLAY.get((type(value), op))
        if play is None:
            raise Broken(f"an image of a {type(value).__name__} holds the operation {op!r}")
        play(value, *(decode(arg) if type(arg) is bytes else arg for arg in args))
    return value


def state_hash(previous: bytes, delta: Delta) -> bytes:
    """The hash of a state, 16 bytes: blake2b of the state hash before and what changed since.

    A turn that changes nothing leaves it as it is. The delta goes in as the journal has it:
    msgpack says type and length of every part, so no two deltas have one form.

    >>> state_hash(bytes(16), (("total", "=", b"7"),)).hex()
    '94ca38bb5b5490c26821515968ba7d0e'
    """
    if not delta:
        return previous
    hash = _new_hash()
    hash.update(previous + pack_plain(delta))
    return hash.digest()


def _splice(value: list[Any], first: int, last: int, new: list[Any]) -> None:
    value[first:last] = new


def _add(value: set[Any], new: Any) -> None:
    value.discard(new)  # 1 and True are one element: the one that came last stays
    value.add(new)


_PLAY: dict[tuple[type, str], Callable[..., None]] = {
    (list, "append"): list.append,
    (list, "extend"): list.extend,
    (list, "setitem"): list.__setitem__,
    (list, "delitem"): list.__delitem__,
    (list, "splice"): _splice,
    (dict, "setitem"): dict.__setitem__,
    (dict, "delitem"): dict.__delitem__,
    (set, "add"): _add,
    (set, "discard"): set.discard,
}
