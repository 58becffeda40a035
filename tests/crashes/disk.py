"""A disk as a power cut leaves it: what was synced, and of the rest what chance lets survive.

`read_log` reads what tests/crashes/powercut.c has noted. A `Disk` takes the entries one by one, and
`lay_out` writes to a folder what may be there if the power goes now. The rules are POSIX's, not
those of one file system:

- an fsync makes durable what was written to that file (or, of a folder, done to its names) before
  the fsync began, and nothing else: no name of the file, no other file;
- of what came later, each 512-byte sector of each write survives or not, so a write may be torn,
  and a later one be there when an earlier one is not; a file may have its size without its bytes,
  which are zeros then;
- of names, each making, renaming and removing is there whole or not at all, whichever others are;
- a file that is mapped to be written may hold anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

from perdure.ledger import flights

SECTOR = 512
_ENTRY = Struct("=c7xQQQQIIQ")


class Entry(NamedTuple):
    """One step of a process, as the log has it; `op` is a letter of powercut.c's."""

    op: str
    thread: int
    inode: int
    offset: int
    path: str
    path2: str
    data: bytes


def read_log(path: Path) -> Iterator[Entry]:
    """The entries of a log, in order."""
    raw = memoryview(path.read_bytes())
    at = 0
    while at < len(raw):
        op, thread, inode, _, offset, *sizes = _ENTRY.unpack_from(raw, at)
        at += _ENTRY.size
        parts = []
        for size in sizes:
            parts.append(bytes(raw[at : at + size]))
            at += size
        yield Entry(
            op.decode(), thread, inode, offset, parts[0].decode(), parts[1].decode(), parts[2]
        )


@dataclass(eq=False)
class Write:
    """Bytes written to a file at an offset; None: it was cut, or grew, to that."""

    offset: int
    data: bytes | None
    is_durable: bool = False  # by itself, whatever becomes of those before it


@dataclass(eq=False)
class File:
    """A file: what of it is durable, and what was done to it since."""

    durable: bytearray = field(default_factory=bytearray)
    since: list[Write] = field(default_factory=list)
    is_mapped: bool = False

    def sync(self, writes: list[Write]) -> None:
        for write in writes:
            if write in self.since:  # else an fsync of another thread has come before
                _apply(self.durable, write.offset, write.data)
                self.since.remove(write)

    def after_the_cut(self, fate: Fate) -> bytes:
        if self.is_mapped:
            return fate.anything()
        found = bytearray(self.durable)
        for write in self.since:
            if write.is_durable:
                _apply(found, write.offset, write.data)
            elif write.data is None:
                if fate.survives():
                    _apply(found, write.offset, None)
            else:
                for start, sector in _sectors(write.offset, write.data, fate):
                    _apply(found, start, sector)
        return bytes(found)


@dataclass(eq=False)
class Folder:
    """A folder: its durable names, and the changes since: each is (name, what it names or None)."""

    durable: dict[str, Node] = field(default_factory=dict)
    names: dict[str, Node] = field(default_factory=dict)
    since: list[Change] = field(default_factory=list)

    def sync(self, changes: list[Change]) -> None:
        for change in changes:
            if any(change is each for each in self.since):
                _rename(self.durable, self, change)
        done = {id(change) for change in changes}
        self.since = [change for change in self.since if id(change) not in done]


@dataclass(eq=False)
class Link:
    """A symbolic link."""

    target: str


Node: TypeAlias = "File | Folder | Link"
Change: TypeAlias = "list[tuple[Folder, str, Node | None]]"
"""What one call did to names: in each folder, which name names what now, or nothing."""


class Fate:
    """What survives, by chance; `share` of it: 0 is the least that may be there, 1 is all."""

    def __init__(self, random: Random, share: float, *, is_torn: bool) -> None:
        self.random, self.share, self.is_torn = random, share, is_torn

    def survives(self) -> bool:
        return self.random.random() < self.share

    def anything(self) -> bytes:
        size = self.random.choice([0, 100, flights.BYTES, 1 << 17])
        return self.random.choice([bytes, self.random.randbytes])(size)


class Disk:
    """The files below one folder, and what of them would outlive a power cut now."""

    def __init__(self) -> None:
        self.root = Folder()
        self._nodes: dict[int, Node] = {}
        self._began: dict[tuple[int, int], tuple[File | Folder, list[Any]]] = {}

    def take(self, entry: Entry) -> None:
        """Do what an entry says."""
        node = self._nodes.get(entry.inode)
        match entry.op:
            case "c" | "d" | "s":
                kinds = {"c": File, "d": Folder, "s": lambda: Link(entry.data.decode())}
                self._nodes[entry.inode] = made = kinds[entry.op]()
                self._change((entry.path, made))
            case "u":
                self._change((entry.path, None))
            case "r":
                assert node is not None
                self._change((entry.path, None), (entry.path2, node))
            case "x":
                old, new = self._named(entry.path), self._named(entry.path2)
                self._change((entry.path, new), (entry.path2, old))
            case "l":
                assert node is not None
                self._change((entry.path2, node))
            case "w" | "t":
                assert isinstance(node, File), entry
                node.since.append(Write(entry.offset, entry.data if entry.op == "w" else None))
            case "y":
                assert isinstance(node, File)
                node.since[-1].is_durable = True
            case "m":
                assert isinstance(node, File)
                node.is_mapped = True
            case "b":
                synced = node or self.root
                assert not isinstance(synced, Link)
                self._began[entry.thread, entry.inode] = synced, list(synced.since)
            case "e":
                synced, done = self._began.pop((entry.thread, entry.inode))
                synced.sync(done)
            case "M":
                pass
            case _:
                raise AssertionError(f"something was done that is not followed: {entry}")

    def lay_out(self, folder: Path, fate: Fate) -> None:
        """Write to `folder` what is there after a power cut."""
        folder.mkdir()
        kept = {id(change) for change in self._changes() if fate.survives()}
        self._lay_out(self.root, folder, fate, kept)

    def _lay_out(self, node: Folder, place: Path, fate: Fate, kept: set[int]) -> None:
        names = dict(node.durable)
        for change in node.since:
            if id(change) in kept:
                _rename(names, node, change)
        for name, child in names.items():
            if isinstance(child, Folder):
                (place / name).mkdir()
                self._lay_out(child, place / name, fate, kept)
            elif isinstance(child, File):
                (place / name).write_bytes(child.after_the_cut(fate))
            else:
                (place / name).symlink_to(child.target)

    def _changes(self) -> Iterator[Change]:
        folders = [self.root, *(node for node in self._nodes.values() if isinstance(node, Folder))]
        seen = set()
        for folder in folders:
            for change in folder.since:
                if id(change) not in seen:
                    seen.add(id(change))
                    yield change

    def _change(self, *names: tuple[str, Node | None]) -> None:
        change = [(*self._place(path), node) for path, node in names]
        for folder in {id(folder): folder for folder, _, _ in change}.values():
            _rename(folder.names, folder, change)
            folder.since.append(change)

    def _named(self, path: str) -> Node:
        folder, name = self._place(path)
        return folder.names[name]

    def _place(self, path: str) -> tuple[Folder, str]:
        folder = self.root
        *folders, name = path.split("/")
        for each in folders:
            inner = folder.names[each]
            assert isinstance(inner, Folder)
            folder = inner
        return folder, name


def _rename(names: dict[str, Node], folder: Folder, change: Change) -> None:
    for where, name, node in change:
        if where is folder and node is None:
            names.pop(name, None)
        elif where is folder and node is not None:
            names[name] = node


def _apply(data: bytearray, offset: int, written: bytes | None) -> None:
    if len(data) < offset:
        data.extend(bytes(offset - len(data)))
    if written is None:
        del data[offset:]
    else:
        data[offset : offset + len(written)] = written


def _sectors(offset: int, data: bytes, fate: Fate) -> Iterator[tuple[int, bytes]]:
    """What of a write survives: all of it or nothing, or, torn, each sector for itself."""
    if not fate.is_torn:
        if fate.survives():
            yield offset, data
        return
    start = 0
    while start < len(data):
        end = min(len(data), (offset + start) // SECTOR * SECTOR + SECTOR - offset)
        if fate.survives():
            yield offset + start, data[start:end]
        start = end
