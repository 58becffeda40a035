"""The files of a code folder: read, digested, kept in the ledger, and put into a folder again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perdure.errors import LedgerDamaged, PerdureError, ScenarioError
from perdure.ledger.messages import Names
from perdure.ledger.values import Codec
from perdure.limits import CODE_BYTES_MAX
from perdure.runtime.document import shown

_codec = Codec(Names())


def read_sources(path: Path) -> dict[str, bytes]:
    """The `*.py` files in the folder of a Python file, itself included, by name.

    Raises `ScenarioError` for one that cannot be read.
    """
    try:
        files = {path, *(each for each in path.parent.glob("*.py") if each.is_file())}
        return {file.name: file.read_bytes() for file in sorted(files)}
    except OSError as error:
        reason = error.strerror or str(error)
        file = shown(Path(error.filename or path))
        raise ScenarioError(f"{file} cannot be read: {reason}.") from None


def digest_of(sources: Mapping[str, bytes]) -> bytes:
    """The blake2b-256 of names and bytes."""
    digest = hashlib.blake2b(digest_size=32)
    for name, data in sources.items():
        for part in (name.encode(), data):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def kept_files(main: str, sources: Mapping[str, bytes]) -> bytes:
    """The files as the ledger keeps them; none, if they have more than `CODE_BYTES_MAX` bytes.

    >>> kept_files("a.py", {"a.py": bytes(CODE_BYTES_MAX + 1)})
    b''
    """
    if sum(map(len, sources.values())) > CODE_BYTES_MAX:
        return b""
    return _codec.encode((main, dict(sources)))


def put_back(files: bytes, folder: Path, beside: Path | None) -> Path:
    """Write kept files into an empty folder; returns the one to load.

    What else lies `beside` them today can be reached there too: packages, data. Raises
    `LedgerDamaged` for bytes that are no such files.
    """
    try:
        main, sources = _codec.decode(files)
        names: dict[str, Any] = {str(name): data for name, data in sources.items()}
        if any(Path(name).name != name for name in (main, *names)):
            raise ValueError("a name is a path")
    except (PerdureError, AttributeError, TypeError, ValueError) as error:
        raise LedgerDamaged(f"the code in the ledger cannot be read: {error}.") from error
    for name, data in names.items():
        (folder / name).write_bytes(data)
    for other in beside.iterdir() if beside is not None and beside.is_dir() else ():
        if other.suffix != ".py" and other.name != "__pycache__":
            (folder / other.name).symlink_to(other.absolute())
    return folder / str(main)
