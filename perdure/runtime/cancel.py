"""Cancelling an actor and all below it, in a run that no process works on."""

from __future__ import annotations

from pathlib import Path

from perdure.actors.cancelling import cancel
from perdure.actors.recovery import OVER, opened, take_up
from perdure.errors import UsageError
from perdure.runtime.program import package_version
from perdure.runtime.run import Run
from perdure.runtime.view import View


def cancel_in(directory: str | Path, address: str) -> int:
    """End an actor and all below it; returns the record that says so.

    `perdure resume` then goes on without them. Raises `UnknownActor`, and `UsageError` for the root
    or when the run is over.
    """
    with View(directory) as view:
        view.find(address)
        status = view.status.status
    if status in OVER:
        raise UsageError(
            f"cancel({address}): the run is over, it is {status}, and nothing was changed. "
            "`perdure fork RUN --at SEQ --to DIR` goes on from one of its records without that."
        )
    run = Run.resume(directory)
    seqs: list[int] = []

    def begin() -> None:
        kernel = run.kernel
        kernel.dispatch.is_stopping = True  # nothing is handled by this process
        opened(kernel, package_version(), run.program.files)
        take_up(kernel, run.program.root())
        kernel.outside.is_up.set()
        seqs.append(cancel(kernel, address))
        kernel.ending.begin("interrupted", f"{address} was cancelled")

    run.begin_with(begin)
    with run:
        run.kernel.ended.wait()
    run.report()
    return seqs[0]
