"""Verdicts of people on a run that no process works on: on steps in doubt, on stalled actors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from perdure.actors.recovery import load, opened
from perdure.actors.verdicts import Verdicts
from perdure.runtime.program import package_version
from perdure.runtime.repairs import stalled_at, step_in_doubt
from perdure.runtime.run import Run


def happened(directory: str | Path, intent: int, form: Any) -> None:
    """Say that a step in doubt happened, and what its result is, in JSON form.

    `intent` is the record that said it was about to happen. Raises `UsageError` for one that is
    not in doubt, and for a form that is no value.
    """

    def say(run: Run) -> str:
        cell, env, key = step_in_doubt(run.kernel, intent)
        codec = run.kernel.book.codec
        value = codec.encode(codec.from_json(form), "the result")
        Verdicts(run.kernel).happened(cell, env, key, value)
        return f"the step of record {intent} happened"

    _repair(directory, say)


def did_not_happen(directory: str | Path, intent: int) -> None:
    """Say that a step in doubt did not happen: it is begun anew. Raises as `happened` does."""

    def say(run: Run) -> str:
        Verdicts(run.kernel).did_not_happen(*step_in_doubt(run.kernel, intent))
        return f"the step of record {intent} did not happen"

    _repair(directory, say)


def clear(directory: str | Path, address: str, verb: str, *, redo: bool = False) -> None:
    """Repair a stalled actor: look `again`, `forget` the message's steps, or call it `dead`.

    Raises `UnknownActor`; `UsageError` for an actor that is not stalled, and when what is to be
    forgotten holds an effect that happened or may have: unless it may happen again, by `redo`.
    """

    def say(run: Run) -> str:
        cell = stalled_at(run.kernel, address)
        options = {"redo": True} if redo else {}
        getattr(Verdicts(run.kernel), verb)(cell, **options)
        return f"{address} was repaired: {verb}"

    _repair(directory, say)


def _repair(directory: str | Path, say: Callable[[Run], str]) -> None:
    """Take the ledger, record a verdict, and let go."""
    run = Run.resume(directory)

    def begin() -> None:
        kernel = run.kernel
        kernel.dispatch.is_stopping = True
        opened(kernel, package_version(), run.program.files)
        load(kernel)
        reason = say(run)
        kernel.outside.is_up.set()
        kernel.ending.begin("interrupted", reason)

    run.begin_with(begin)
    with run:
        run.kernel.ended.wait()
    run.report()
