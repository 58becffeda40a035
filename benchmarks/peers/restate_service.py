"""The service that Restate calls: a workflow of `ctx.run`s. `STEPS_LOG` names the log."""

from __future__ import annotations

import os
from datetime import timedelta

import restate

from benchmarks.peers.steplog import Log

LOG = Log(os.environ["STEPS_LOG"])
agent = restate.Service("agent", inactivity_timeout=timedelta(minutes=10))


@agent.handler()
async def walk(ctx: restate.Context, request: dict[str, int]) -> int:
    who, count = f"a{request['number']}", 0
    while count < request["steps"]:
        before = count
        count, _ = await ctx.run_typed("step", lambda before=before: LOG.add(who, before))
    return count


app = restate.app([agent])
