"""How a run ended, or why it stands still."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

REPAIR = "what is left waits for a repair: `perdure show RUN` names it, and the way out"
SUSPENDED = (
    "what is left is for suspended actors: `perdure tree RUN` shows them, and `perdure suspend "
    "RUN ADDRESS --off` has one go on"
)


class Report(NamedTuple):
    """How a run ended, or why it stands still: finished, failed, waiting or interrupted."""

    status: str
    reason: str
    result: Any
    directory: Path | None
    seconds: float
