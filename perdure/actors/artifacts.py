"""The paths that artifacts may have; pure."""

from __future__ import annotations

from perdure.errors import UsageError
from perdure.limits import NAME_BYTES_MAX


def check_artifact(path: str) -> None:
    """Raise `UsageError` unless `path` is a plain relative path."""
    parts = path.split("/")
    if not path or path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise UsageError(
            f"{path!r} cannot name an artifact: use a relative path without '..', like report.txt."
        )
    if "\0" in path or len(path.encode()) > 2 * NAME_BYTES_MAX:
        raise UsageError(
            f"the artifact path {path[:40]!r}… has {len(path.encode())} of at most "
            f"{2 * NAME_BYTES_MAX} bytes, and no NUL."
        )
