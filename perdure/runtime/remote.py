"""Folders elsewhere, by URL: the one door to fsspec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perdure.errors import NotShipped, UsageError
from perdure.ledger.durable import write_whole


class Place:
    """A folder at an fsspec URL: `file:///mnt/copies/run-1`, `s3://bucket/run-1`, a path.

    A file appears whole. Raises `UsageError` for a URL that cannot be used here, and `NotShipped`
    when the place does not answer as it should.
    """

    def __init__(self, url: str) -> None:
        try:
            import fsspec  # noqa: PLC0415 - an extra: everything else works without it
        except ImportError:
            raise UsageError(
                "shipping needs fsspec, which is not installed: pip install 'perdure[ship]'."
            ) from None
        if not url:
            raise UsageError("the URL is empty. Write one like file:///mnt/copies/run-1.")
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        except Exception as error:
            raise UsageError(f"{url} cannot be used: {error}.") from error
        self.url = url
        protocol = self._fs.protocol
        self._is_local = "file" in (protocol if isinstance(protocol, tuple) else (protocol,))

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None if there is none of that name."""
        try:
            data: bytes = self._fs.cat_file(f"{self._root}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:
            raise self._failed(f"{name} cannot be read", error) from error
        return data

    def write(self, name: str, data: bytes) -> None:
        """Put a file there, in place of any of that name; on this machine's disks, durably."""
        try:
            if self._is_local:
                write_whole(Path(self._root, name), data, top=Path(self._root).absolute())
            else:
                self._fs.pipe_file(f"{self._root}/{name}", data)
        except Exception as error:
            raise self._failed(f"{name} cannot be written", error) from error

    def _failed(self, what: str, error: Any) -> NotShipped:
        return NotShipped(f"{self.url}: {what}: {str(error) or type(error).__name__}. Try again.")
