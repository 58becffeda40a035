"""Artifacts on their way out: a file appears, whole, after its record is durable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perdure.actors.events import Event
from perdure.errors import CommitFailed, LedgerDamaged
from perdure.ledger.keys import Table, artifact_key, unreleased_key
from perdure.ledger.records import Artifact, Kind
from perdure.ledger.rows import ArtifactRow, pack_row, unpack_row

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Releases:
    """Puts artifact files in place: temporary file, fsync, rename; then records that it did.

    A run that dies in between does it again at resume: the bytes are in the ledger.
    """

    def __init__(self, kernel: Kernel, directory: Path | None) -> None:
        self.kernel = kernel
        self.directory = directory
        self._due = 0
        self._newest: dict[str, int] = {}  # path -> record of its newest artifact, while due

    @property
    def is_busy(self) -> bool:
        """Whether a file is still to be written."""
        return self._due > 0

    def add(self, seq: int, artifact: Artifact, data: bytes) -> None:
        """Release an artifact once the record that holds it is durable."""
        self._due += 1
        self._newest[artifact.path] = seq
        self.kernel.barrier.when_durable(seq, lambda: self._release(seq, artifact, data))

    def resume(self) -> None:
        """Release what an earlier process made durable and did not put in place."""
        book = self.kernel.book
        for key, _ in book.store.scan(bytes([Table.UNRELEASED])):
            path = key[1:].decode()
            raw = book.store.get(artifact_key(path))
            row = None if raw is None else unpack_row(ArtifactRow, raw)
            data = None if row is None else book.store.blob(row.digest)
            if row is None or data is None:
                raise LedgerDamaged(
                    f"artifact {path} is to be put in place, and is not in the ledger. "
                    "Restore a backup to go on."
                )
            self.add(row.seq, Artifact(path, row.digest, row.size), data)

    def _release(self, seq: int, artifact: Artifact, data: bytes) -> None:
        self._due -= 1
        if self._newest.get(artifact.path) != seq:
            return  # a later turn has published that path again
        del self._newest[artifact.path]
        book = self.kernel.book
        try:
            self.kernel.machine.write_artifact(self.directory, artifact.path, data)
        except OSError as error:
            text = f"artifact {artifact.path} could not be written: {error}. "
            text += "It is safe in the ledger; make room and `perdure resume` puts it in place."
            self.kernel.ending.fail(CommitFailed(text, book.durable))
            return
        book.append(Kind.RELEASE, (book.now_ns(), (), artifact.path, artifact.digest))
        row = ArtifactRow(artifact.digest, artifact.size, seq, True)
        book.open.puts[artifact_key(artifact.path)] = pack_row(row)
        book.open.delete(unreleased_key(artifact.path))
        event = Event("artifact", book.now_ns(), "", artifact.path, "", "", artifact.size)
        self.kernel.news.observer(event)
