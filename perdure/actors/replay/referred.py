"""Large values of a turn that runs again: by reference, as records hold them."""

from __future__ import annotations

from perdure.ledger.blobs import digest_of, is_reference, refer
from perdure.limits import BLOB_BYTES_MIN


class Referred:
    """What stands for a run's blobs. Nothing is kept but what the turn that runs now makes."""

    def __init__(self) -> None:
        self.fresh: dict[bytes, bytes] = {}  # by digest; what differs is not in the ledger

    def small(self, data: bytes) -> bytes:
        """The bytes of a value as a record holds them."""
        if len(data) <= BLOB_BYTES_MIN:
            return data
        reference = refer(data)
        self.fresh[digest_of(reference)] = data
        return reference

    def whole(self, data: bytes) -> bytes:
        """The bytes of a value that this turn made; others as they are given."""
        return self.fresh.get(digest_of(data), data) if is_reference(data) else data
