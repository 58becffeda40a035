"""New code for a run that goes on: its folder is loaded again; what cannot be changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perdure.actors.door import Taken, Verb
from perdure.actors.events import Event
from perdure.actors.reloading import Loaded, Reloaded, Reloading
from perdure.errors import PerdureError
from perdure.ledger.spool import Post
from perdure.runtime.code import in_place_of_the_loaded
from perdure.runtime.program import Program

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.runtime.run import Run


def reload(run: Run, addresses: Sequence[str]) -> Reloaded:
    """`Run.reload`: the code is loaded on the caller's thread, and the run goes on meanwhile."""
    try:
        with in_place_of_the_loaded():
            program = run.program.again()
            reloaded = run.kernel.outside.reload(_loaded(program), addresses).get()
    except PerdureError as refused:
        run.kernel.on_kernel(_tell, run.kernel, str(refused))
        raise
    run.program = program
    return reloaded


def verb(run: Run) -> Verb:
    """What another process asks for, on the kernel thread: no turn goes on while it loads."""
    return Verb(lambda kernel, post: _reload_here(run, kernel, post), {"addresses": list})


def _reload_here(run: Run, kernel: Kernel, post: Post) -> Taken:
    try:
        with in_place_of_the_loaded():
            program = run.program.again()
            done = Reloading(kernel).reload(_loaded(program), post.fields["addresses"])
    except PerdureError as refused:
        _tell(kernel, str(refused))
        raise
    run.program = program
    return Taken(said(done))


def _loaded(program: Program) -> Loaded:
    return Loaded(program.edition(), program.files, program.specs())


def _tell(kernel: Kernel, text: str) -> None:
    """Say that a reload was refused; nothing else says so, for nothing has changed."""
    kernel.news.observer(Event("refused", kernel.book.now_ns(), "", reason=text))


def said(done: Reloaded) -> dict[str, Any]:
    """What a reload came to, as plain JSON."""
    return {
        "record": done.seq,
        "code": done.code,
        "versions": [list(version) for version in done.versions],
        "changed": done.changed,
        "migrated": done.migrated,
        "under_way": done.under_way,
        "kept": done.kept,
        "gone": done.gone,
        "stored": done.is_stored,
    }
