"""A run replayed from its ledger: which code, how far, and what came of it."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from perdure.actors.actor import Actor
from perdure.actors.replay.player import Player
from perdure.actors.replay.scene import Scene
from perdure.errors import Compacted, UsageError
from perdure.ledger import records
from perdure.ledger.compacted import beginning
from perdure.ledger.keys import actor_key
from perdure.ledger.messages import Names
from perdure.ledger.records import Record
from perdure.ledger.rows import ActorRow, unpack_row
from perdure.runtime.code import actor_classes, load_code
from perdure.runtime.codes import Codes
from perdure.runtime.document import shown
from perdure.runtime.oldcode import read_code
from perdure.runtime.points import point
from perdure.runtime.program import BUILT_IN, Program, namespaces
from perdure.runtime.scenario import FILE_NAME
from perdure.runtime.view import View


@dataclass(frozen=True, slots=True)
class Cast:
    """The code that turns run again with: classes by name, messages, and what it was made of."""

    classes: dict[str, type[Actor]]
    names: Names
    digest: bytes
    path: Path | None
    is_recorded: bool = False  # it is what records name: they may name another from a fork on

    @classmethod
    def of(cls, program: Program) -> Self:
        """That of a program at hand."""
        scenario = program.scenario
        path = None if scenario is None else scenario.code
        return cls(program.classes, program.names, program.code_hash, path)

    @classmethod
    def file(cls, path: Path) -> Path:
        """The Python file itself, or that beside a scenario's file or in its folder."""
        if path.is_dir():
            path = path / FILE_NAME
        if path.name.endswith(".toml"):
            if not path.is_file():
                raise UsageError(
                    f"there is no code in {shown(path.parent)}: it has no {path.name}."
                )
            path = _named_in(path.read_text(encoding="utf-8"), path)
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        """That of a Python file, or of the code beside a scenario's file."""
        path = cls.file(path)
        if not path.is_file():
            raise UsageError(
                f"there is no file {shown(path)}. Give the code of the run with --code FILE."
            )
        code = load_code(path)
        classes = {**actor_classes(code), **BUILT_IN}
        return cls(classes, Names.of(*namespaces(code)), code.digest, path)

    @classmethod
    def recorded(cls, header: records.Run) -> Self:
        """That which a run's records name, each its own; the scenario may be gone."""
        if not header.directory:
            raise UsageError(
                f"the run {header.scenario!r} was started from Python. Give the file that defines "
                "its actors with --code FILE."
            )
        path = _named_in(header.source, Path(header.directory))
        return cls({}, Names(), header.code_hash, path, is_recorded=True)


def _named_in(source: str, file: Path) -> Path:
    """The code that the text of a scenario names."""
    code = tomllib.loads(source).get("code")
    if not isinstance(code, str):
        raise UsageError(f"{shown(file)} names no code: all its actors are supervisors.")
    return file.parent / code


def _forks(view: View, last: int) -> Iterator[tuple[int, records.Fork]]:
    """The records up to `last` that made forks, oldest first."""
    row = view.lineage.fork
    for at, _ in () if row is None else row.pasts:
        if at < last:
            body = next(iter(view.records(at + 1, at + 1))).body
            if isinstance(body, records.Fork):
                yield at + 1, body


class Replay:
    """The turns of a run, run again: `for scene in replay.scenes(): …`, then its counts.

    `cast` is the code to begin with, `until` the point to stop at, as `point` reads it, `actor`
    the address of the one actor whose turns run. Nothing outside the ledger is touched, but for
    what handlers do past their verbs: that is what a difference shows.
    """

    def __init__(
        self, view: View, cast: Cast, *, until: str | None = None, actor: str | None = None
    ) -> None:
        if actor is not None:
            view.find(actor)
        self.view = view
        self.cast = cast
        self.last = view.head.seq if until is None else point(view, until)
        self.turns = self.crashes = self.decisions = 0
        self.actors: set[int] = set()
        self.skipped: Counter[str] = Counter()  # turns that were not run, by why
        self.diverged: Scene | None = None
        self.first = view.head.cut + 1  # the first record that it can run again
        if view.head.cut and self.last < self.first:
            raise Compacted(self.last, view.head.cut)
        self.seq = 0  # how far it is
        self.code_seq = 1  # the record that says which code was running
        self._forks = list(_forks(view, self.last))
        self._codes = Codes(view, cast)
        self.code_hash = view.record(1).body.code_hash  # type: ignore[union-attr]
        self._player = Player(self._codes.edition, view.codec, self._row, actor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._player.close()
        self._codes.close()

    @property
    def is_identical(self) -> bool:
        """Whether every turn ran again, and none differed."""
        return self.diverged is None and not self.skipped

    @property
    def code_changed(self) -> bool:
        """Whether the records come from other code than replays them, as far as it has come."""
        return not self.cast.is_recorded and self.code_hash != self.cast.digest

    def is_forked_at(self, seq: int) -> bool:
        """Whether that record is the one that made a fork of this."""
        return any(seq == at for at, _ in self._forks)

    def codes(self) -> list[tuple[int, bytes, Path | None]]:
        """Other code than before, by the records from which on it runs.

        Each with its digest, and with where it is if a fork names that.
        """
        if not self.cast.is_recorded:
            return []
        row = read_code(self.view.store)
        digests = [digest for _, digest, _ in row.versions]
        found: list[tuple[int, bytes, Path | None]] = [
            (seq, digest, None)
            for (seq, digest, _), before in zip(row.versions[1:], digests, strict=False)
            if digest != before and seq <= self.last
        ]
        forks = [(seq, f.code_hash, Path(f.code)) for seq, f in self._forks if f.code is not None]
        return sorted([*forks, *(each for each in found if each[1] not in {f[1] for f in forks})])

    def scenes(self) -> Iterator[Scene]:
        """Each turn as it has run again, up to and including the first that differs."""
        for scene in self._player.scenes(self._records()):
            if scene.skipped:
                self.skipped[scene.skipped] += 1
            elif scene.differences:
                self.diverged = scene
            else:
                self.actors.add(scene.cell.id)
                self.crashes += scene.is_crash
                self.decisions += scene.is_supervisor
                self.turns += not scene.is_crash and not scene.is_supervisor
            yield scene

    def _records(self) -> Iterator[Record]:
        if self.first > 1:
            self._begin_at_base()
        for record in self.view.records(self.first, self.last):
            self.seq = record.seq
            self._see(record)
            yield record

    def _see(self, record: Record) -> None:
        """Learn which code runs from a record on, if it says so."""
        if isinstance(record.body, records.Open | records.Fork | records.Reload):
            self.code_seq, self.code_hash = record.seq, record.body.code_hash
            self._codes.see(record.body)

    def _begin_at_base(self) -> None:
        fold = beginning(self.view.store)
        forks = [last + 1 for last, _ in fold.pasts.past]
        for seq in sorted({*forks, *(seq for seq, _, _ in fold.code.versions)}):
            if seq in forks or seq >= fold.code.since:
                self._see(self.view.record(seq))
        self._player.begin_at(fold, self.view.run, self.view.record)

    def _row(self, id: int) -> ActorRow | None:
        raw = self.view.store.get(actor_key(id))
        return None if raw is None else unpack_row(ActorRow, raw)
