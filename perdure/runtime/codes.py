"""The code that records name by its digest: as it lies in its folder, or as the ledger keeps it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from perdure.actors.editions import Edition
from perdure.errors import ScenarioError
from perdure.ledger import records
from perdure.ledger.blobs import digest_of as digest_in
from perdure.ledger.values import Codec
from perdure.runtime.program import BUILT_IN
from perdure.runtime.sources import digest_of, put_back, read_sources
from perdure.runtime.view import View

if TYPE_CHECKING:
    from perdure.runtime.replay import Cast


class Codes:
    """Finds the code of each digest, once; code that was asked for stands for all of them."""

    def __init__(self, view: View, cast: Cast) -> None:
        self.view = view
        self.cast = cast
        self._paths = [] if cast.path is None else [cast.path]
        self._kept: dict[bytes, bytes] = {}  # references to files, by the digest of the code
        self._found: dict[bytes, Cast] = {}
        self._folders: list[TemporaryDirectory[str]] = []

    def close(self) -> None:
        """Remove the folders that kept code was put into."""
        for folder in self._folders:
            folder.cleanup()

    def see(self, body: records.Open | records.Fork | records.Reload) -> None:
        """Learn from a record where code is."""
        if isinstance(body, records.Fork):
            if body.code is not None:
                self._paths.append(self.cast.file(Path(body.code)))
        elif body.code:
            self._kept[body.code_hash] = body.code

    def edition(self, digest: bytes) -> Edition:
        """The code of a digest; one that is not at hand has no classes, and says so."""
        if not self.cast.is_recorded:
            return self._edition(self.cast, digest)
        found = self._found.get(digest) or self._find(digest)  # a later record may have it
        if found is not None:
            self._found[digest] = found
            return self._edition(found, digest)
        missing = (
            f"their code {digest.hex()[:12]} is not at hand: the ledger does not have it, and its "
            "folder has other code now. Replay them with --code DIR"
        )
        return Edition(digest, dict(BUILT_IN), Codec(self.cast.names), missing=missing)

    def _edition(self, cast: Cast, digest: bytes) -> Edition:
        codec = Codec(cast.names)
        codec.read_blob = self.view.store.blob
        return Edition(digest, cast.classes, codec)

    def _find(self, digest: bytes) -> Cast | None:
        for path in self._paths:
            try:
                if path.is_file() and digest_of(read_sources(path)) == digest:
                    return self.cast.load(path)
            except ScenarioError:
                continue
        reference = self._kept.get(digest)
        files = None if reference is None else self.view.store.blob(digest_in(reference))
        if files is None:
            return None
        folder = TemporaryDirectory(prefix="perdure-code-")
        self._folders.append(folder)
        beside = self._paths[-1].parent if self._paths else None
        return self.cast.load(put_back(files, Path(folder.name), beside))
