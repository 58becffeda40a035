"""The durable state of an actor object: built from committed images, collected into a delta.

A turn is closed in three calls, of which only the first can fail, and changes no image:

    delta = collect(actor, images, encode)
    apply(images, delta)
    compact(actor, images)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from perdure.actors.mutability import ATOMS, Mutability, is_container, mutability, separated
from perdure.actors.tracked import TrackedList
from perdure.actors.tracking import Encode, Tracked, root
from perdure.errors import UsageError
from perdure.ledger.blobs import digest_of, refer, size_of
from perdure.ledger.images import (
    Decode,
    Delta,
    Entry,
    Image,
    apply,
    materialise,
    read_images,
    state_hash,
    weigh,
)
from perdure.limits import BLOB_BYTES_MIN, IMAGE_OPS_BYTES_MIN

if TYPE_CHECKING:
    from perdure.actors.actor import Actor

__all__ = [
    "Decode",
    "Delta",
    "Encode",
    "Image",
    "Marks",
    "apply",
    "build",
    "collect",
    "compact",
    "fill",
    "materialise",
    "read_images",
    "restore",
    "run_on_load",
    "state_hash",
]

A = TypeVar("A", bound="Actor")
_GONE = object()


_NONE: dict[Any, Any] = {}
_NO_NAMES: set[str] = set()


class Marks:
    """What an actor object knows of its own changes since it was last collected.

    Most actors have nothing but atoms. Their objects share what is empty, which nobody writes to:
    each turn looks at it, and it is in the processor's cache.
    """

    __slots__ = ("dirty", "large", "opaque", "owned", "rebased", "whats")

    def __init__(self, whats: Mapping[str, str]) -> None:
        self.whats = whats  # the fields as errors name them
        self.dirty: set[str] = set()  # fields that may have changed
        self.owned: dict[str, Tracked] = _NONE  # the containers whose logs tell what changed
        self.opaque = _NO_NAMES  # fields that can change unseen: encoded and compared
        self.rebased: dict[str, bytes] = _NONE  # whole values for `compact`
        self.large: dict[bytes, bytes] = _NONE  # blobs of the delta, by digest

    def small(self, data: bytes) -> bytes:
        """The bytes of a value as a delta holds them: a reference, for a large one."""
        if len(data) <= BLOB_BYTES_MIN:
            return data
        reference = refer(data)
        if not self.large:
            self.large = {}
        self.large[digest_of(reference)] = data
        return reference

    def small_entry(self, entry: Entry) -> Entry:
        """An operation with references for its large values."""
        return tuple(self.small(arg) if type(arg) is bytes else arg for arg in entry)


def build(cls: type[A], init: Mapping[str, object]) -> A:
    """A new actor object: defaults, overridden by `init`. Only default factories run.

    Raises `UsageError` for an unknown or missing name in `init`, `DeclarationError` for a class
    that cannot be durable.
    """
    actor = cls.__new__(cls)
    fill(actor, init)
    return actor


def fill(actor: Actor, init: Mapping[str, object]) -> None:
    """Make a bare object what `build` returns."""
    declaration = actor.__declaration__
    declaration.check()
    declaration.check_init(init)
    marks = _begin(actor)
    fields = vars(actor)
    for name, spec in declaration.fields.items():
        fields[name] = init[name] if name in init else spec.make()
        marks.dirty.add(name)


def restore(
    cls: type[A], images: Mapping[str, Image], decode: Decode, version: int | None = None
) -> A:
    """An actor object with committed state. Fields without an image get their defaults.

    `version` is that of the class that wrote the images, if it may be another one: then
    `cls.migrate(state, version)` is asked for the fields of today. But for it, only default
    factories run. Raises `UsageError` if the state does not fit the class.
    """
    declaration = cls.__declaration__
    declaration.check()
    state = {name: materialise(image, decode) for name, image in images.items()}
    migrates = version is not None and version != declaration.version
    if migrates and version is not None:
        state = cls.migrate(state, version)
    declaration.check_state(state)
    actor = cls.__new__(cls)
    marks = _begin(actor)
    fields = vars(actor)
    for name, spec in declaration.fields.items():
        if name not in state or migrates:
            fields[name] = state[name] if name in state else spec.make()
            marks.dirty.add(name)
        else:
            fields[name] = _admit(marks, name, state[name])
    marks.dirty.update(images.keys() - declaration.fields.keys())
    return actor


def run_on_load(actor: Actor) -> None:
    """Call `on_load` of a new object. Raises `UsageError` if it changes durable state.

    When an object is built is no part of the journal, so nothing durable may hang on it.
    """
    dirty = actor.__marks__.dirty
    before = set(dirty)
    dirty.clear()
    actor.on_load()
    if dirty:
        name = actor.__declaration__.in_order(dirty)[0]
        raise UsageError(
            f"{type(actor).__name__}.on_load changes {name!r}, which is durable; it may set only "
            f"volatile attributes. Set it in on_start, or name it `_{name}`."
        )
    dirty |= before


def _begin(actor: Actor) -> Marks:
    """Give a bare object its marks and its volatile attributes."""
    fields = vars(actor)
    declaration = actor.__declaration__
    marks = fields["__marks__"] = Marks(declaration.whats)
    for name, spec in declaration.volatile.items():
        if not spec.required:
            fields[name] = spec.make()
    return marks


def _admit(marks: Marks, name: str, value: Any) -> Any:
    """The value that a field holds from now on, its way of telling changes noted."""
    kind = mutability(value)
    marks.opaque.discard(name)
    owned = marks.owned.pop(name, None)
    if kind == Mutability.OPAQUE:
        marks.opaque = marks.opaque | {name}
        value = separated(value)
        return root(value, name, marks.dirty, logs=False) if is_container(value) else value
    if kind == Mutability.CONTAINER:
        if owned is value and owned is not None:
            owned.settle(True)
        else:
            value = root(value, name, marks.dirty)
        marks.owned = marks.owned | {name: value}
    return value


def collect(actor: Actor, images: Mapping[str, Image], encode: Encode) -> Delta:
    """What changed since the last collection, encoded, in the order of the declaration.

    `images` are the committed ones, and stay as they are; the actor is clean afterwards. Values of
    more than `BLOB_BYTES_MIN` are references; their blobs are in `__marks__.large`. Whatever
    `encode` raises passes through (`NotEncodable`, `TooLarge`): then the object is of no more use.
    Raises `UsageError` for a list that was changed behind its methods.
    """
    fields = actor.__dict__
    marks: Marks = fields["__marks__"]
    dirty, whats = marks.dirty, marks.whats
    if marks.owned or marks.opaque or marks.rebased:
        return _collect_any(actor, images, encode)
    delta: Delta = ()
    for name in dirty if len(dirty) < 2 else actor.__declaration__.in_order(dirty):
        value = fields.get(name, _GONE)
        if type(value) not in ATOMS:
            return _collect_any(actor, images, encode)
        data = encode(value, whats[name])
        if len(data) > BLOB_BYTES_MIN:
            return _collect_any(actor, images, encode)
        image = images.get(name)
        if image is None or image[0] != data or image[1]:  # its base, its operations
            delta += ((name, "=", data),)
    dirty.clear()
    return delta


def _collect_any(actor: Actor, images: Mapping[str, Image], encode: Encode) -> Delta:
    """`collect` of an actor that has more than atoms in its fields."""
    fields, marks = vars(actor), actor.__marks__
    dirty = marks.dirty
    if marks.rebased:
        marks.rebased.clear()  # of a delta that was not applied
    if marks.owned:
        _check_bypassed(actor, marks.owned)
    unseen = marks.opaque - dirty if marks.opaque else marks.opaque
    if unseen:
        dirty |= unseen
    if not dirty:
        return ()
    out: list[Entry] = []
    for name in actor.__declaration__.in_order(dirty) if len(dirty) > 1 else dirty:
        value = fields.get(name, _GONE)
        image = images.get(name)
        if type(value) not in ATOMS:
            out += _mutable_changes(actor, name, image, encode, name in unseen)
            continue
        data = marks.small(encode(value, marks.whats[name]))
        if image is None or image.base != data or image.ops:
            out.append((name, "=", data))
            marks.owned.pop(name, None)
            marks.opaque.discard(name)
    dirty.clear()
    return tuple(out)


def _mutable_changes(
    actor: Actor, name: str, image: Image | None, encode: Encode, unseen: bool
) -> list[Entry]:
    """The changes of a field that holds no atom; `unseen`: it is only suspected of having some."""
    marks, fields = actor.__marks__, vars(actor)
    if name not in fields:
        return [(name, "-")]
    value, what = fields[name], actor.__declaration__.whats[name]
    owned = marks.owned.get(name)
    if owned is not None and owned is value and image is not None:
        entries = owned.changes(encode, what)
        if entries is not None:
            owned.settle(False)
            entries = [marks.small_entry(entry) for entry in entries]
            weight = image.weight + sum(weigh(entry) for entry in entries)
            if entries and weight > max(size_of(image.base), IMAGE_OPS_BYTES_MIN):
                whole = encode(owned, what)  # loading pays for each operation
                marks.rebased = marks.rebased | {name: whole}
            return [(name, *entry) for entry in entries]
    data = marks.small(encode(value, what))
    is_new = image is None or image.base != data or bool(image.ops)
    if is_new or not unseen:
        fields[name] = _admit(marks, name, value)
    # A container is written whole even if it equals the one before: whether its image is one base
    # or a base with operations must not show in the journal.
    return [(name, "=", data)] if is_new or name in marks.owned else []


def compact(actor: Actor, images: dict[str, Image]) -> None:
    """Replace images whose operations outgrew their base, after `apply`; values stay the same."""
    rebased = actor.__marks__.rebased
    if rebased:
        for name, base in rebased.items():
            images[name] = Image(base, [])
        rebased.clear()


def _check_bypassed(actor: Actor, owned: Mapping[str, Tracked]) -> None:
    for name, value in owned.items():
        if type(value) is TrackedList and value.bypassed():
            raise UsageError(
                f"{type(actor).__name__}.{name} was changed behind its methods, as heapq does, so "
                f"the change would be lost. Change a plain copy and assign it: items = "
                f"list(self.{name}); …; self.{name} = items. (bisect.insort works as it is.)"
            )
