"""Runs in a forked child: there they are over, for their threads are the parent's alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from weakref import WeakSet

from perdure.errors import LedgerInUse

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

_kernels: WeakSet[Kernel] = WeakSet()


def end_in_children(kernel: Kernel) -> None:
    """Have this run be over in every child that is forked from this process.

    Whoever waits for it there is told so, instead of waiting for ever.
    """
    _kernels.add(kernel)


def _end_all() -> None:
    for kernel in list(_kernels):
        ended = kernel.machine.flag()
        ended.set()
        kernel.ended = ended
        kernel.ending.error = LedgerInUse(
            f"this run goes on in process {os.getppid()}, and this is {os.getpid()}, forked from "
            "it. Start runs after the fork, or post to it: `perdure.runtime.ingress.post`."
        )


os.register_at_fork(after_in_child=_end_all)
