"""Cancelling an actor and all below it, in a run that no process works on."""

from __future__ import annotations

from pathlib import Path

from perdure.actors.cancelling import cancel
from perdure.actors.recovery import opened, take_up
from perdure.runtime.run import Run, package_version


def cancel_in(directory: str | Path, address: str) -> int:
    """End an actor and all below it; returns the record that says so.

    `perdure resume` then goes on without them. Raises `UnknownActor`, and `UsageError` for the root
    or when the run is over.
    """
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
