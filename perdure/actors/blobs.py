"""Large values on their way to disk: each goes there once, and can be read before it is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from perdure.ledger.blobs import digest_of, fetch, gone, is_reference, refer
from perdure.limits import BLOB_BYTES_MIN, BLOBS_KNOWN_MAX

if TYPE_CHECKING:
    from perdure.actors.book import Book


class Blobs:
    """The blobs of a run. They are durable with the group that was open when they were kept."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._known: dict[bytes, None] = {}  # digests of blobs that are there, oldest first
        self._suspects: set[bytes] = set()  # nothing refers to them, it seems
        self._leaving: tuple[tuple[int, Mapping[bytes, bytes]], ...] = ()  # (last seq, blobs)

    def small(self, data: bytes) -> bytes:
        """The bytes of a value as a record or row holds them: a reference, for a large one."""
        if len(data) <= BLOB_BYTES_MIN:
            return data
        reference = refer(data)
        self.keep({digest_of(reference): data})
        return reference

    def whole(self, data: bytes) -> bytes:
        """The bytes of a value that a record or row holds."""
        return fetch(data, self.read) if is_reference(data) else data

    def keep(self, blobs: Mapping[bytes, bytes]) -> None:
        """Have blobs, by digest, made durable with the open group; those there are, are not."""
        known, group = self._known, self.book.open
        for digest, data in blobs.items():
            if digest not in known:
                self._suspects.discard(digest)
                group.blobs[digest] = data
                group.bytes += len(data)
                if len(known) >= BLOBS_KNOWN_MAX:
                    del known[next(iter(known))]
                known[digest] = None

    def suspect(self, digests: Iterable[bytes]) -> None:
        """Forget that some blobs are there: who uses one hands it over again."""
        self._suspects.update(digests)
        for digest in self._suspects:
            self._known.pop(digest, None)

    def unused(self, digests: Iterable[bytes]) -> list[bytes]:
        """Those of some blobs that nobody has used since they are suspects."""
        return [digest for digest in digests if digest in self._suspects]

    def settle(self, digests: Iterable[bytes]) -> list[bytes]:
        """Those of some blobs that nobody has used, as they are dropped: suspects no more."""
        found = self.unused(digests)
        self._suspects.difference_update(digests)
        return found

    def leave(self, last_seq: int, blobs: Mapping[bytes, bytes]) -> None:
        """Keep the blobs of a sealed group at hand until it is durable."""
        if blobs or self._leaving:
            still = [each for each in self._leaving if each[0] > self.book.durable]
            self._leaving = (*still, (last_seq, blobs)) if blobs else tuple(still)

    def read(self, digest: bytes) -> bytes:
        """The bytes of a blob, durable or not; from any thread. Raises `LedgerDamaged`."""
        # What is sealed is among those that leave before it is no longer open.
        for blobs in (self.book.open.blobs, *(blobs for _, blobs in self._leaving)):
            if (data := blobs.get(digest)) is not None:
                return data
        with self.book.watched():
            data = self.book.store.blob(digest)
            if data is None:
                raise gone(digest)
            return data
