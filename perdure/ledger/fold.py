"""The journal folded a second time, by other code than runs it: what must be true at its end.

It shares with the kernel the shapes of records and the fold of state deltas, and nothing else:
where the two agree, they are right, or wrong in the same way by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perdure.ledger import fold_code, fold_past, fold_steps, records, watching
from perdure.ledger.fold_past import Pasts, farewell
from perdure.ledger.fold_posts import Posts
from perdure.ledger.fold_steps import Steps
from perdure.ledger.fold_waits import Reply, Waits
from perdure.ledger.folded import Agent, Id, Letter, Violation, Waiting
from perdure.ledger.images import apply, state_hash
from perdure.ledger.journal import sender_of
from perdure.ledger.records import Dead, Lane, Life, Record, Send


def _name(id: Id) -> str:
    return f"message {id[0]}.{id[1]}"


class Fold:
    """The whole of a run after each record: `add` takes the records in order.

    What breaks a rule goes to `violations`; the fold goes on as well as it can.
    """

    def __init__(self) -> None:
        self.seq = self.time = 0
        self.violations: list[Violation] = []
        self.waiting: dict[Id, Waiting] = {}
        self.lanes: dict[tuple[int, int], dict[Id, int]] = {}  # (actor, lane) -> id -> sender
        self.timers: dict[Id, int] = {}
        self.waits = Waits(self.timers)
        self.dead: dict[Id, Letter] = {}
        self.agents: dict[int, Agent] = {}
        self.names: dict[str, int] = {}
        self.artifacts: dict[str, tuple[bytes, int, int, bool]] = {}
        self.limit: int | None = None
        self.spent = self.reserved = 0
        self.steps = Steps()
        self.pasts = Pasts()
        self.code = fold_code.NO_CODE
        self.posts = Posts()
        self.result: bytes | None = None  # of a turn that finished the run
        self.has_begun = False  # the scenario's first messages were sent
        self.interrupted: dict[Id, int] = {}  # deaths in a row that a message was running at
        self.status: records.Status | None = None  # None once a process took the ledger again

    def add(self, record: Record) -> None:
        """Fold one more record."""
        seq, body = record.seq, record.body
        if seq != self.seq + 1:
            self._wrong(seq, f"it follows record {self.seq}")
        self.seq = seq
        if body.time < self.time:
            self._wrong(seq, f"ledger time goes back from {self.time} to {body.time} ns")
        self.time = max(self.time, body.time)
        effect = _EFFECTS.get(type(body))
        if effect is not None:
            effect(self, seq, body)
        for index, wire in enumerate(body.sends):
            self._send(seq, index, body, Send(*wire))

    def _wrong(self, seq: int, text: str) -> None:
        self.violations.append(Violation(seq, text))

    def _agent(self, seq: int, id: int) -> Agent:
        agent = self.agents.get(id)
        if agent is None:
            self._wrong(seq, f"there is no actor {id}")
            agent = self.agents[id] = Agent(f"?{id}", "?", 0, Life.RUNNING, 0)
        return agent

    def _watches(self, id: int) -> watching.Watches:
        return self.agents[id].watches

    def _farewell(self, id: int, agent: Agent) -> None:
        """Nothing hangs on a life that ended."""
        if agent.life >= Life.DOWN and agent.watches:
            watching.end(self._watches, id)

    # --- messages

    def _send(self, seq: int, index: int, body: records.Body, send: Send) -> None:
        id = (seq, index)
        if send.dead is not None:
            letter = Letter(send.dead[0], send.dead[1], 0, seq, body.time)
            self._lay_out(id, letter, send.reply)
        elif send.due is not None:
            self.timers[id] = send.due
            if send.reply is not None:
                self.waits.timed(send.reply, id)
        elif send.to:
            agent = self._agent(seq, send.to)
            if agent.life == Life.ENDED and send.lane == Lane.USER:
                self._wrong(seq, f"it sends {_name(id)} to {agent.address}, which ended")
            waiting = Waiting(send.to, send.lane, sender_of(body, send), send.reply)
            self.waiting[id] = waiting
            self.lanes.setdefault((send.to, send.lane), {})[id] = waiting.sender

    def _consume(self, seq: int, actor: int, id: Id) -> Waiting | None:
        """Take a message out of an inbox for good; None if it is not there."""
        waiting = self.waiting.get(id)
        if waiting is None or waiting.to != actor:
            address = self._agent(seq, actor).address
            self._wrong(seq, f"{address} consumes {_name(id)}, which does not wait there")
            return None
        lane = self.lanes[actor, waiting.lane]
        if waiting.lane == Lane.USER:  # in the control lane kills come first, phases choose
            for other, sender in lane.items():
                if other == id:
                    break
                if sender == waiting.sender:
                    text = f"{_name(id)} is consumed before {_name(other)} of the same sender"
                    self._wrong(seq, text)
                    break
        del self.waiting[id]
        for key in self.steps.forget(id):
            self._wrong(seq, f"{_name(id)} ends, and its {key} still reserves tokens")
        del lane[id]
        self.waits.gone(id)
        if not lane:
            del self.lanes[actor, waiting.lane]
        return waiting

    def _answered(self, reply: Reply | None) -> None:
        """What an ask is answered with settles it, also when that is no answer."""
        if reply is not None:
            self.waits.settle((reply[1], reply[2]), reply[3])

    def _bury(self, seq: int, row: Dead) -> None:
        id = (row.seq, row.index)
        waiting = self.waiting.get(id)
        if waiting is not None:
            self._consume(seq, waiting.to, id)
            self._lay_out(
                id, Letter(row.to, row.reason, row.attempts, seq, self.time), waiting.reply
            )
            return
        if self.timers.pop(id, None) is None:
            self._wrong(seq, f"{_name(id)} dies, and waits nowhere")
        self.dead[id] = Letter(row.to, row.reason, row.attempts, seq, self.time)

    def _lay_out(self, id: Id, letter: Letter, reply: Reply | None) -> None:
        self.dead[id] = letter
        self._answered(reply)
        if reply is not None:
            text = f"{_name(id)} to {letter.to} is a dead letter: {letter.reason}"
            self.steps.died(letter.seq, reply, text)
            self.posts.died(reply[3], text)

    # --- records

    def _run(self, seq: int, body: records.Run) -> None:
        if seq != 1:
            self._wrong(seq, "a second header")
        self.pasts.run_id = body.run_id
        self.limit = body.tokens_limit

    def _open(self, seq: int, body: records.Open) -> None:
        self.status = None
        self.code = fold_code.opened(self.code, seq, body.code_hash, body.durability)
        if body.interrupted is None:
            return
        before, self.interrupted = self.interrupted, {}
        for actor, *id in body.interrupted:
            message = (id[0], id[1])
            waiting = self.waiting.get(message)
            if waiting is None or waiting.to != actor:
                self._wrong(seq, f"{_name(message)} was running, and does not wait there")
            self.interrupted[message] = before.get(message, 0) + 1

    def _birth(self, seq: int, body: records.Birth) -> None:
        if body.address in self.names:
            self._wrong(seq, f"{body.address} is born, and is there already")
        if body.parent:
            self._agent(seq, body.parent)
        incarnation = 0 if body.life == Life.BORN else 1
        who = (body.address, body.class_name, body.parent, body.life, incarnation)
        self.agents[seq] = Agent(*who, body.version, body.spec, body.init)
        if body.step is not None:
            self.steps.spawned(seq, body, self.agents[body.step[0]].attempts + 1)
        self.names[body.address] = seq

    def _turn(self, seq: int, body: records.Turn) -> None:
        agent = self._begin(seq, body)
        waiting = self._consume(seq, body.actor, body.message)
        if waiting is not None and waiting.lane == Lane.USER:
            agent.attempts = agent.not_before = 0
            agent.turns += 1
        if body.rejected is not None and (body.delta or body.artifacts or body.finish):
            self._wrong(seq, f"{agent.address} rejects a message, and changes something")
        self._change_state(seq, agent, body)
        agent.version = body.version or agent.version
        if body.watches:
            watching.change(self._watches, body.actor, body.watches)
        if body.life is not None:
            farewell(agent, body)
            agent.life = body.life
            self._farewell(body.actor, agent)
        self._lives(seq, body.lives, body.dead)
        for path, digest, size in body.artifacts:
            self.artifacts[path] = (digest, size, seq, False)
        for id, spec, init in body.specs:
            told = self._agent(seq, id)
            told.spec, told.init = spec, init
        self.pasts.mark(seq, body.actor, body.marks)
        if body.answer is not None:
            self._answered(body.answer[0])
            self.steps.answered(seq, *body.answer)
            self.posts.answered(body.answer[0][3], *body.answer[1:])
        self.result = body.finish if body.finish is not None else self.result

    def _change_state(self, seq: int, agent: Agent, body: records.Turn | records.Restore) -> None:
        """A delta follows from the state before it, and is folded into it."""
        if body.previous != (agent.last or body.actor):
            self._wrong(seq, f"it follows record {body.previous} of {agent.address}")
        agent.last = seq
        apply(agent.images, body.delta)
        agent.state_hash = state_hash(agent.state_hash, body.delta)
        if agent.state_hash != body.state_hash:
            self._wrong(seq, f"the state hash of {agent.address} does not follow from its delta")
            agent.state_hash = body.state_hash

    def _crash(self, seq: int, body: records.Crash) -> None:
        agent = self._begin(seq, body)
        agent.crashes += 1
        agent.falls = agent.falls + 1 if agent.fell_at == agent.turns else 1
        agent.fell_at = agent.turns
        agent.life, agent.reason = Life.DOWN, body.reason
        self._farewell(body.actor, agent)
        is_dead = any((row[0], row[1]) == body.message for row in body.dead)
        waiting = self.waiting.get(body.message)
        if waiting is None or waiting.to != body.actor or waiting.lane == Lane.CONTROL:
            self._consume(seq, body.actor, body.message)
        else:
            agent.attempts = 0 if is_dead else agent.attempts + 1
            agent.not_before = 0 if is_dead else body.not_before
        self._lives(seq, body.lives, body.dead)

    def _begin(self, seq: int, body: records.Turn | records.Crash) -> Agent:
        """Whose attempt it was; only the incarnation that lives may end one (fencing)."""
        agent = self._agent(seq, body.actor)
        if body.incarnation != agent.incarnation:
            late = f"incarnation {body.incarnation} of {agent.address} ends a turn"
            self._wrong(seq, f"{late}, and {agent.incarnation} lives")
        waiting = self.waiting.get(body.message)
        if waiting is not None and waiting.lane == Lane.USER and agent.life != Life.RUNNING:
            self._wrong(seq, f"{agent.address} ends a turn and is {Life(agent.life).name}")
        return agent

    def _lives(self, seq: int, lives: Any, dead: Any) -> None:
        """Changed lives, and the dead letters that they and the record itself make."""
        for row in dead:
            self._bury(seq, Dead(*row))
        for id, incarnation, life in lives:
            self._change_life(seq, id, incarnation, life)

    def _change_life(self, seq: int, id: int, incarnation: int, life: int) -> None:
        agent = self._agent(seq, id)
        agent.restarts += life == Life.STARTING and incarnation > 1
        agent.life, agent.incarnation = life, incarnation
        self._farewell(id, agent)
        if life in (Life.STOPPED, Life.ENDED):
            agent.attempts = agent.not_before = 0
            agent.stalled = ""
            left = self.lanes.get((id, Lane.USER))
            if left:
                self._wrong(seq, f"{agent.address} is gone, and {len(left)} messages wait for it")
        if life == Life.ENDED and self.names.get(agent.address) == id:
            del self.names[agent.address]

    def _post(self, seq: int, body: records.Post) -> None:
        self.has_begun |= body.origin == "scenario"
        if (wrong := self.posts.taken(seq, body)) is not None:
            self._wrong(seq, wrong)
        if body.requeued is not None and self.dead.pop(body.requeued, None) is None:
            self._wrong(seq, f"{_name(body.requeued)} is requeued, and is no dead letter")

    def _timer(self, seq: int, body: records.Timer) -> None:
        due = self.timers.pop(body.timer, None)
        if due is None:
            self._wrong(seq, f"the timer of {_name(body.timer)} fires, and is not set")
        elif due > body.time:
            self._wrong(seq, f"a timer fires {due - body.time} ns early")


_EFFECTS: dict[type[Any], Callable[[Fold, int, Any], object]] = {
    records.Run: Fold._run, records.Open: Fold._open,
    records.Birth: Fold._birth, records.Turn: Fold._turn, records.Crash: Fold._crash,
    records.Post: Fold._post, records.Timer: Fold._timer,
    **fold_code.EFFECTS, **fold_past.EFFECTS, **fold_steps.EFFECTS,
}  # fmt: skip
