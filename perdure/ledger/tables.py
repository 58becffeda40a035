"""The tables of a ledger, written from a fold of its journal: what a fork begins with.

The runtime writes the same rows as it goes along; the audit and the tests hold both to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from perdure.ledger import keys, rows
from perdure.ledger.fold import Fold
from perdure.ledger.folded import Agent
from perdure.ledger.group import Row
from perdure.ledger.rows import pack_row
from perdure.ledger.states import seal_state
from perdure.ledger.values import Codec

Words = Callable[[bytes], str]
"""From the message that told a supervisor of an end, the reason in words."""


def tables(fold: Fold, codec: Codec, words: Words) -> Iterator[Row]:
    """All rows that the tables have after the records of `fold`. Kernel thread, or no kernel."""
    for id, agent in fold.agents.items():
        yield from _of_agent(id, agent, words)
    for address, id in fold.names.items():
        yield keys.name_key(address), id.to_bytes(8, "big")
    for (seq, index), waiting in fold.waiting.items():
        yield keys.inbox_key(waiting.to, waiting.lane, seq, index), b""
    for (seq, index), steps in fold.steps.rows.items():
        for name, step in steps.items():
            lost = fold.steps.lost.get(((seq, index), name))
            value = step.value if lost is None else codec.encode(("Crashed", lost))
            key = keys.step_key(fold.waiting[seq, index].to, seq, index, name)
            yield key, pack_row(step._replace(value=value))
    for (seq, index), due in fold.timers.items():
        yield keys.timer_key(due, seq, index), b""
    for (seq, index), letter in fold.dead.items():
        row = rows.DeadRow(letter.to, letter.reason, letter.attempts, letter.time, letter.seq)
        yield keys.dead_key(seq, index), pack_row(row)
    for path, artifact in fold.artifacts.items():
        yield keys.artifact_key(path), pack_row(rows.ArtifactRow(*artifact))
        if not artifact[3]:
            yield keys.unreleased_key(path), b""
    for (actor, name), seq in fold.pasts.marks.items():
        yield keys.mark_key(actor, name), seq.to_bytes(8, "big")
    for post_id, posted in fold.posts.rows.items():
        if post_id in fold.posts.lost:
            crashed = codec.encode(("Crashed", fold.posts.lost[post_id]))
            yield keys.posted_key(post_id), pack_row(posted._replace(value=crashed))
        else:
            yield keys.posted_key(post_id), pack_row(posted)
    yield from _of_run(fold)


def actor_row(agent: Agent, words: Words) -> rows.ActorRow:
    """The row of an actor."""
    reason = agent.reason if isinstance(agent.reason, str) else words(agent.reason)
    return rows.ActorRow(
        agent.address, agent.class_name, agent.version, agent.parent, agent.spec, agent.init,
        agent.incarnation, int(agent.life), agent.crashes, agent.restarts, agent.attempts,
        agent.not_before, reason, agent.falls, agent.fell_at, agent.stalled,
        agent.suspended, len(agent.watches),
        agent.tokens, agent.kept,
    )  # fmt: skip


def _of_agent(id: int, agent: Agent, words: Words) -> Iterator[Row]:
    yield keys.actor_key(id), pack_row(actor_row(agent, words))
    yield keys.child_key(agent.parent, id), b""
    for (other, monitor), how in agent.watches.items():
        yield keys.watch_key(id, other, monitor), how.encode()
    if agent.last:
        state = rows.StateRow(agent.turns, agent.last, agent.state_hash, agent.images)
        puts: list[Row] = []
        seal_state(id, state, None, puts, [])
        yield from puts


def _of_run(fold: Fold) -> Iterator[Row]:
    if not fold.seq:
        return
    yield keys.STATUS_KEY, pack_row(_status(fold))
    budget = rows.BudgetRow(fold.limit, fold.spent, fold.reserved)
    yield keys.BUDGET_KEY, pack_row(budget)
    yield keys.CODE_KEY, pack_row(fold.code)
    if fold.interrupted:
        counts = tuple((*id, number) for id, number in fold.interrupted.items())
        yield keys.INTERRUPTED_KEY, pack_row(rows.InterruptedRow(counts))
    if fold.pasts.row is not None:
        yield keys.FORK_KEY, pack_row(fold.pasts.row)
    if fold.pasts.base is not None:
        yield keys.BASE_KEY, pack_row(fold.pasts.base)


def _status(fold: Fold) -> rows.StatusRow:
    said = fold.status
    if said is not None and (fold.has_begun or said.status in ("finished", "failed")):
        return rows.StatusRow(said.status, said.reason, said.result)
    if not fold.has_begun:  # the scenario's first messages are still to be sent
        return rows.StatusRow("starting", "" if said is None else said.reason, None)
    if fold.result is not None:
        return rows.StatusRow("finishing", "", fold.result)
    return rows.StatusRow("running", "", None)
