"""What each row of the tables must say, if the fold of the journal is right; pure."""

from __future__ import annotations

from collections.abc import Callable

from perdure.ledger import keys, rows
from perdure.ledger.fold import Fold
from perdure.ledger.folded import Letter, Waiting
from perdure.ledger.keys import Table
from perdure.ledger.records import Lane, Life
from perdure.ledger.rows import unpack_row

Check = Callable[[Fold, bytes, bytes], str | None]
"""What is wrong with a row, or None."""


def expected(fold: Fold) -> dict[bytes, str]:
    """The rows that must be there, each with what it is of."""
    found: dict[bytes, str] = {}
    for id, agent in fold.agents.items():
        found[keys.actor_key(id)] = agent.address
        found[keys.child_key(agent.parent, id)] = agent.address
        for other, monitor in agent.watches:
            found[keys.watch_key(id, other, monitor)] = f"what {agent.address} watches"
        if agent.images or agent.turns:
            found[keys.state_key(id)] = agent.address
    for address in fold.names:
        found[keys.name_key(address)] = address
    for (seq, index), waiting in fold.waiting.items():
        key = keys.inbox_key(waiting.to, waiting.lane, seq, index)
        found[key] = f"message {seq}.{index}, which nobody consumed"
    for (seq, index), due in fold.timers.items():
        found[keys.timer_key(due, seq, index)] = f"timer {seq}.{index}"
    for seq, index in fold.dead:
        found[keys.dead_key(seq, index)] = f"dead letter {seq}.{index}"
    for actor, name in fold.pasts.marks:
        found[keys.mark_key(actor, name)] = f"mark {name}"
    for post_id in fold.posts.rows:
        found[keys.posted_key(post_id)] = f"post {post_id}"
    for (seq, index), steps in fold.steps.rows.items():
        waiting = fold.waiting.get((seq, index), Waiting(0, 0, 0, None))
        for name in steps:
            key = keys.step_key(waiting.to, seq, index, name)
            found[key] = f"step {name} of message {seq}.{index}"
    for path, artifact in fold.artifacts.items():
        found[keys.artifact_key(path)] = path
        if not artifact[3]:
            found[keys.unreleased_key(path)] = path
    return found | _of_run(fold)


def _of_run(fold: Fold) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    if fold.pasts.row is not None:
        found[keys.FORK_KEY] = "the run's fork"
    if fold.pasts.base is not None:
        found[keys.BASE_KEY] = "the run's base"
    if fold.interrupted:
        found[keys.INTERRUPTED_KEY] = "the messages that were running when a process died"
    if fold.seq:
        found[keys.STATUS_KEY] = "the run's status"
        found[keys.BUDGET_KEY] = "the run's budget"
        found[keys.CODE_KEY] = "the run's code"
    return found


# --- one check for each table: what is wrong with a row, or None


def _actor(fold: Fold, key: bytes, value: bytes) -> str | None:
    row = unpack_row(rows.ActorRow, value)
    agent = fold.agents.get(keys.actor_of(key))
    if agent is None:
        return f"actor {keys.actor_of(key)} was never born"
    return _differs(
        agent.address,
        ("address", row.address, agent.address),
        ("class", row.class_name, agent.class_name),
        ("version", row.version, agent.version),
        ("parent", row.parent, agent.parent),
        ("life", Life(row.life).name, Life(agent.life).name),
        ("incarnation", row.incarnation, agent.incarnation),
        ("attempts", row.attempts, agent.attempts),
        ("not_before", row.attempts and row.not_before, agent.attempts and agent.not_before),
        ("crashes", row.crashes, agent.crashes),
        ("restarts", row.restarts, agent.restarts),
        ("falls", (row.falls, row.fell_at), (agent.falls, agent.fell_at)),
        ("spec", row.spec, agent.spec),
        ("init", row.init, agent.init),
        ("stalled", row.stalled, agent.stalled),
        ("suspended", row.suspended, agent.suspended),
        ("watches", row.watches, len(agent.watches)),
        ("tokens", row.tokens, agent.tokens),
        ("kept", row.kept, agent.kept),
    )


def _differs(who: str, *parts: tuple[str, object, object]) -> str | None:
    wrong = [
        f"{part} {said!r}, and the journal {true!r}" for part, said, true in parts if said != true
    ]
    return f"of {who} it says {'; '.join(wrong)}" if wrong else None


def _name(fold: Fold, key: bytes, value: bytes) -> str | None:
    address = key[1:].decode()
    return _differs(address, ("id", int.from_bytes(value, "big"), fold.names.get(address, 0)))


def _inbox(fold: Fold, key: bytes, value: bytes) -> str | None:
    actor, lane, seq, index = keys.inbox_id(key)
    waiting = fold.waiting.get((seq, index))
    if waiting is None:
        return f"message {seq}.{index} was consumed, or never sent"
    if (waiting.to, waiting.lane) != (actor, lane):
        return f"message {seq}.{index} waits in another inbox"
    return None


def _step(fold: Fold, key: bytes, value: bytes) -> str | None:
    actor, seq, index, name = keys.step_id(key)
    row = unpack_row(rows.StepRow, value)
    true = fold.steps.rows.get((seq, index), {}).get(name)
    if true is None or row._replace(value=b"") != true._replace(value=b""):
        return f"step {name} of message {seq}.{index} is {row}, and the journal says {true}"
    head = next(iter(fold.lanes.get((actor, Lane.USER), ())), None)
    if head == (seq, index) or (seq, index) in fold.lanes.get((actor, Lane.CONTROL), ()):
        return None  # kills and stops do not wait for what came before them
    return f"step {name} is of message {seq}.{index}, which is not at the head of actor {actor}"


def _timer(fold: Fold, key: bytes, value: bytes) -> str | None:
    due, seq, index = keys.timer_id(key)
    true = fold.timers.get((seq, index))
    return None if true == due else f"timer {seq}.{index} fired, or is due at another time"


def _dead(fold: Fold, key: bytes, value: bytes) -> str | None:
    row = unpack_row(rows.DeadRow, value)
    seq, index = keys.dead_id(key)
    letter = fold.dead.get((seq, index))
    if letter is None:
        return f"message {seq}.{index} is no dead letter"
    said = Letter(row.to, row.reason, row.attempts, row.seq, letter.time)
    return _differs(f"message {seq}.{index}", ("that it is", said, letter))


def _artifact(fold: Fold, key: bytes, value: bytes) -> str | None:
    path = key[1:].decode()
    said = tuple(unpack_row(rows.ArtifactRow, value))
    return _differs(path, ("digest, size, seq, released", said, fold.artifacts.get(path)))


def _unreleased(fold: Fold, key: bytes, value: bytes) -> str | None:
    path = key[1:].decode()
    artifact = fold.artifacts.get(path)
    return None if artifact and not artifact[3] else f"{path} is in place, or was never made"


def _child(fold: Fold, key: bytes, value: bytes) -> str | None:
    parent, child = keys.child_id(key)
    agent = fold.agents.get(child)
    return None if agent and agent.parent == parent else f"{child} is no child of {parent}"


def _run(fold: Fold, key: bytes, value: bytes) -> str | None:
    if key == keys.BUDGET_KEY:
        said = tuple(unpack_row(rows.BudgetRow, value))
        true = (fold.limit, fold.spent, fold.reserved)
        return _differs("the budget", ("limit, spent, reserved", said, true))
    if key == keys.CODE_KEY:
        return _differs("the run", ("code", unpack_row(rows.CodeRow, value), fold.code))
    if key == keys.BASE_KEY:
        base = unpack_row(rows.BaseRow, value)
        return _differs("the run", ("base", base, fold.pasts.base))
    if key == keys.FORK_KEY:
        fork = unpack_row(rows.ForkRow, value)
        return _differs("the run", ("fork", fork, fold.pasts.row))
    if key == keys.INTERRUPTED_KEY:
        counts = {(seq, index): n for seq, index, n in unpack_row(rows.InterruptedRow, value)[0]}
        return _differs("the run", ("interrupted", counts, fold.interrupted))
    if key != keys.STATUS_KEY:
        return f"there is no row {key!r}"
    status = unpack_row(rows.StatusRow, value).status
    last = fold.status.status if fold.status else status  # a process is at it, and may say more
    if not fold.has_begun and last in ("interrupted", "waiting"):
        last = "starting"  # the scenario's first messages are still to be sent
    return _differs("the run", ("status", status, last))


def _mark(fold: Fold, key: bytes, value: bytes) -> str | None:
    actor, name = keys.mark_id(key)
    true = fold.pasts.marks.get((actor, name), 0)
    return _differs(f"mark {name}", ("record", int.from_bytes(value, "big"), true))


def _watch(fold: Fold, key: bytes, value: bytes) -> str | None:
    actor, other, monitor = keys.watch_id(key)
    agent = fold.agents.get(actor)
    true = None if agent is None else agent.watches.get((other, monitor))
    return _differs(f"actor {actor}", (f"of {other} {monitor!r}", value.decode(), true))


def _posted(fold: Fold, key: bytes, value: bytes) -> str | None:
    post_id = key[1:].decode()
    row, true = unpack_row(rows.PostedRow, value), fold.posts.rows.get(post_id)
    if post_id in fold.posts.lost:
        row = row._replace(value=b"")  # made of the words of the dead letter
    return _differs(f"post {post_id}", ("that it is", row, true))


CHECKS: dict[int, Check] = {
    Table.ACTOR: _actor,
    Table.NAME: _name,
    Table.INBOX: _inbox,
    Table.STEP: _step,
    Table.TIMER: _timer,
    Table.DEAD: _dead,
    Table.ARTIFACT: _artifact,
    Table.CHILD: _child,
    Table.RUN: _run,
    Table.MARK: _mark,
    Table.WATCH: _watch,
    Table.POSTED: _posted,
    Table.UNRELEASED: _unreleased,
}
