"""What is counted while work is done: calls of functions, and what LMDB is handed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, Self

import perdure
from perdure.ledger.group import Group, Head, Store, nothing
from perdure.ledger.store import LmdbStore
from perdure.simulation.disk import Database, Writing

PACKAGE = str(Path(perdure.__file__).parent) + "/"
MACHINE = PACKAGE + "simulation/"
TESTS = str(Path(__file__).parent.parent) + "/"


class Groups:
    """Counts transactions and their records, at any store."""

    def __init__(self, store: Store) -> None:
        self.figures: Counter[str] = Counter()
        self._commit: Callable[..., Head] = store.commit
        store.commit = self.commit  # type: ignore[method-assign]

    def commit(self, group: Group, written: Callable[[], None] = nothing) -> Head:
        self.figures["transactions"] += 1
        self.figures["records"] += len(group.records)
        return self._commit(group, written)


class Rows:
    """Counts rows and bytes, keys included, as a simulated ledger's file gets them."""

    def __init__(self, store: LmdbStore) -> None:
        self.figures: Counter[str] = Counter()
        file: Any = store.file
        self._names = {file.journal: "journal", file.tables: "table", file.blobs: "blob"}
        self._names[file.main] = "table"  # the meta row, which counts their rows
        file.begin = lambda *, write: _Counted(file, self)

    def count(self, db: Database, row: int) -> None:
        """A row is put, of so many bytes, or deleted."""
        self.figures["rows"] += 1
        self.figures[f"{self._names[db]}_bytes"] += row


class _Counted(Writing):
    """A transaction that counts what it is told to do."""

    def __init__(self, file: Any, rows: Rows) -> None:
        super().__init__(file)
        self._rows = rows

    def put(self, key: bytes, value: bytes, *, db: Database, overwrite: bool = True) -> bool:
        self._rows.count(db, len(key) + len(value))
        return super().put(key, value, db=db, overwrite=overwrite)

    def delete(self, key: bytes, *, db: Database) -> bool:
        self._rows.count(db, len(key))
        return super().delete(key, db=db)


class Calls:
    """Counts calls in all threads that begin while it is in use.

    What a function of Python's own does, it does for the function of perdure's that called it: such
    calls are kept apart, because they change with Python's version. The simulated machine and the
    actors at work are left out; they are not what is measured.
    """

    def __init__(self) -> None:
        self.of: list[tuple[CodeType, int, int]] = []  # a function, its calls, builtins it called
        self._now: dict[int, list[Any]] = {}  # the same by the code's id, as it goes on

    def __enter__(self) -> Self:
        self._before = threading.getprofile()
        threading.setprofile(self._event)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        threading.setprofile(self._before)

    def begin(self) -> None:
        """What comes now counts."""
        self._now.clear()

    def end(self) -> None:
        """What comes now does not."""
        self.of = [(code, calls, builtins) for code, calls, builtins in self._now.values()]

    def _event(self, frame: FrameType, event: str, arg: object) -> None:
        at = 1 if event == "call" else 2 if event == "c_call" else 0
        if at:
            code = frame.f_code
            found = self._now.get(id(code))
            if found is None:
                found = self._now[id(code)] = [code, 0, 0]
            found[at] += 1

    def figures(self) -> Counter[str]:
        """Calls of perdure's functions, of others, and of builtins by perdure's."""
        figures: Counter[str] = Counter()
        for code, calls, builtins in self.of:
            side = side_of(code)
            if side:
                figures[side] += calls
            if side == "calls":
                figures["builtins"] += builtins
        return figures


def side_of(code: CodeType) -> str:
    """Whose function it is: `calls` are perdure's, `library_calls` Python's; '' is not counted.

    What NamedTuple and dataclass make of a class has no file; here, those classes are perdure's.
    """
    path = code.co_filename
    if path.startswith((MACHINE, TESTS)) or path == threading.__file__:
        return ""
    return "calls" if path.startswith(PACKAGE) or path == "<string>" else "library_calls"
