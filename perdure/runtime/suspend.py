"""Suspending an actor, or having it go on, in a run that no process works on."""

from __future__ import annotations

from pathlib import Path

from perdure.actors.recovery import load, opened
from perdure.actors.signals import suspend
from perdure.runtime.program import package_version
from perdure.runtime.run import Run


def suspend_in(directory: str | Path, address: str, is_on: bool) -> None:
    """Suspend an actor, or have it take messages again; `perdure resume` then goes on so.

    Raises `UnknownActor`, and `UsageError` for one that has no life to suspend.
    """
    run = Run.resume(directory)

    def begin() -> None:
        kernel = run.kernel
        kernel.dispatch.is_stopping = True  # nothing is handled by this process
        opened(kernel, package_version(), run.program.files)
        load(kernel)
        kernel.outside.is_up.set()
        suspend(kernel, address, is_on)
        what = "was suspended" if is_on else "goes on"
        kernel.ending.begin("interrupted", f"{address} {what}")

    run.begin_with(begin)
    with run:
        run.kernel.ended.wait()
    run.report()
