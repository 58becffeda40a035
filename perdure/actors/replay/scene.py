"""One recorded turn that was run again: what it was, what differs, how it crashed."""

from __future__ import annotations

import asyncio
import os
import traceback
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from perdure import errors
from perdure.actors import starting
from perdure.actors.cell import Cell
from perdure.actors.replay.compare import Difference
from perdure.actors.replay.outcome import Outcome
from perdure.ledger import records
from perdure.ledger.values import Codec
from perdure.mailbox.envelope import Envelope


@dataclass(slots=True)
class Scene:
    """One recorded turn, run again. The past is still as it was when the turn began."""

    seq: int
    body: records.Turn | records.Crash
    cell: Cell
    envelope: Envelope
    codec: Codec  # with stand-ins for the classes of messages and values
    kind: str = "receive"
    skipped: str = ""  # why it was not run, if it was not
    differences: list[Difference] = field(default_factory=list)
    error: BaseException | None = None  # what the handler raised

    @property
    def message(self) -> Any:
        """The message, with stand-ins for its classes."""
        return self.codec.decode(self.envelope.body)

    @property
    def steps(self) -> list[tuple[str, str]]:
        """The steps that are recorded of the message so far, with what they ended with."""
        found = []
        for key, step in (self.envelope.steps or {}).items():
            if isinstance(step, Outcome):
                value = self.codec.decode(step.value) if step.phase == "done" else "not known"
                is_failed = step.phase == "done" and not step.ok
                text = ": ".join(value[:2]) if is_failed else repr(value)
                found.append((key, f"{text} (record {step.seq})"))
        return found

    @property
    def is_crash(self) -> bool:
        """Whether the record is of a failed attempt."""
        return isinstance(self.body, records.Crash)

    @property
    def is_supervisor(self) -> bool:
        """Whether it is a supervisor's decision."""
        return self.kind == "control"

    @property
    def traceback(self) -> str:
        """How the handler came to raise what it raised, from its own first line on."""
        if self.error is None:
            return ""
        at = _after_ours(self.error.__traceback__)
        return "".join(traceback.format_exception(self.error.with_traceback(at)))

    @property
    def where(self) -> str:
        """The line of the actor's code that it ended at, or else its handler, as `file:line`."""
        frames = traceback.extract_tb(None if self.error is None else self.error.__traceback__)
        own = [each for each in frames if not each.filename.startswith(_NOT_ITS_OWN)]
        if own:
            return f"{own[-1].filename}:{own[-1].lineno}"
        code = getattr(getattr(self.cell.cls, _HOOKS.get(self.kind, ""), None), "__code__", None)
        return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def _after_ours(at: TracebackType | None) -> TracebackType | None:
    """A traceback without what called the handler."""
    found, first = at, at
    while at is not None:
        code = at.tb_frame.f_code
        if (code.co_filename, code.co_name) in _CALLERS:
            found = at.tb_next
        at = at.tb_next
    return found or first


_HOOKS = {"receive": "on_receive", "start": "on_start", "stop": "on_stop"}
_NOT_ITS_OWN = (os.path.dirname(errors.__file__) + os.sep, os.path.dirname(asyncio.__file__))
_CALLERS = {
    (__file__.replace("scene.py", "player.py"), "_call"),
    (__file__.replace("scene.py", "turn.py"), "awaited"),
    *((starting.__file__, name) for name in ("plain", "awaited", "_awaited")),
}
"""What calls handlers, by file and name."""
