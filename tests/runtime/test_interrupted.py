"""A run that is interrupted before its first messages sends them when it is resumed."""

from __future__ import annotations

from pathlib import Path

from perdure import Run
from perdure.ledger.audit import audit_store
from perdure.ledger.store import open_store

SCENARIO = """
format = 1
name = "slow"
code = "actors.py"

[tree]
id = "s"
strategy = "one_for_one"

[[tree.children]]
id = "x"
actor = "Slow"

[[tell]]
to = "/s/x"
message = { "$" = "Go" }
"""
ACTORS = """
import asyncio
from perdure import Actor, message

@message
class Go:
    pass

class Slow(Actor):
    async def on_start(self) -> None:
        if not self.is_fast:
            await asyncio.Event().wait()

    is_fast: bool = False

    async def on_receive(self, message: Go) -> None:
        self.finish("did it")
"""


def test_the_first_messages_of_a_run_drained_while_it_starts_are_sent_later(
    tmp_path: Path,
) -> None:
    (tmp_path / "scenario.toml").write_text(SCENARIO)
    code = tmp_path / "actors.py"
    code.write_text(ACTORS)
    run = Run(tmp_path, tmp_path / "run", seed=1)
    run.kernel.start(run._start)  # `with` would wait for the tree to be up
    run.drain()
    assert run.kernel.ended.wait(60)
    assert run.report().status == "interrupted"
    store = open_store(tmp_path / "run", write=False)
    assert audit_store(store) == []
    store.close()
    code.write_text(ACTORS.replace("is_fast: bool = False", "is_fast: bool = True"))
    with Run.resume(tmp_path / "run") as resumed:
        assert resumed.wait(60).result == "did it"
