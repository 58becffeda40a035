"""OTP's supervisor again, as simple as it can be said: the model that `decide` is held against.

It blocks where OTP's blocks, and knows nothing of turns, phases or data. Comments name rows of the
table of OTP's rules that it was written from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answer = tuple[bool, str | None]
OK_REASONS = ("normal", "shutdown")


@dataclass
class Kid:
    """A child; `dead` is the reason of a process that ended and whose exit nobody has seen yet."""

    id: str
    restart: str = "permanent"
    significant: bool = False
    state: str = "undefined"
    dead: str | None = None


class Over(Exception):
    """The supervisor has ended."""


class Model:
    """A supervisor that is up; `log` is what it does: starts, stops and reports, in order."""

    def __init__(self, strategy: str, intensity: int, auto_shutdown: str, kids: list[Kid]) -> None:
        self.strategy = strategy
        self.intensity = intensity
        self.auto_shutdown = auto_shutdown
        self.pool = strategy == "simple_one_for_one"
        self.template = kids[0] if self.pool else Kid("")
        self.kids = [] if self.pool else kids
        self.numbered = 0
        self.failing: Counter[str] = Counter()
        self.ignoring: Counter[str] = Counter()
        self.endings: dict[str, str] = {}  # what a stop makes of a child, if not shutdown
        self.now = 0
        self.times: list[int] = []
        self.queue: list[Callable[[], None]] = []
        self.log: list[tuple[Any, ...]] = []
        self.replies: list[Answer] = []
        self.up = True
        for kid in list(self.kids):
            self.keep_if_started(kid, self.start(kid))

    def find(self, id: str) -> Kid | None:
        return next((kid for kid in self.kids if kid.id == id), None)

    def run(self) -> None:
        while self.queue and self.up:
            try:
                self.queue.pop(0)()
            except Over:
                self.up = False

    def start(self, kid: Kid) -> str:
        self.log.append(("start", kid.id))
        for result, faults in (("fail", self.failing), ("ignore", self.ignoring)):
            if faults[kid.id]:
                faults[kid.id] -= 1
                return result
        kid.state = "running"
        return "ok"

    def keep_if_started(self, kid: Kid, result: str) -> None:
        """S9, D3, D4: who declines is kept, unless temporary or in a pool."""
        if result == "ignore":
            self.down(kid)

    def down(self, kid: Kid) -> None:
        kid.state = "undefined"
        if kid.restart == "temporary" or self.pool:
            self.kids.remove(kid)

    def stop(self, kid: Kid) -> None:
        """X1, X6, R9: an exit that is queued is used up, whatever it says."""
        if kid.state == "running":
            self.log.append(("stop", kid.id))
            reason = kid.dead or self.endings.get(kid.id, "shutdown")
            kid.dead = None
            well = reason == "shutdown" or (reason == "normal" and kid.restart != "permanent")
            if not well:
                self.log.append(("shutdown_error", kid.id, reason))
        self.down(kid)

    def stop_all(self, kids: list[Kid]) -> None:
        for kid in reversed(kids):
            self.stop(kid)

    def end(self) -> None:
        if self.pool:  # D9: all at once, then one report for each reason
            alive = [kid for kid in self.kids if kid.state == "running"]
            self.log += [("stop", kid.id) for kid in alive]
            reasons = [kid.dead or self.endings.get(kid.id, "shutdown") for kid in alive]
            kept = OK_REASONS[1:] if self.template.restart == "permanent" else OK_REASONS
            for reason, count in Counter(r for r in reasons if r not in kept).items():
                self.log.append(("shutdown_error", f"*{count}", reason))
            self.kids = []
        self.stop_all(list(self.kids))
        raise Over

    def ends(self, id: str, reason: str) -> None:
        kid = self.find(id)
        assert kid is not None
        kid.dead = reason
        self.queue.append(lambda: self.exit(kid))

    def exit(self, kid: Kid) -> None:
        reason = kid.dead
        if reason is None:  # used up (R9)
            return
        kid.dead = None
        bad = kid.restart == "permanent" or reason not in OK_REASONS
        if bad:
            self.log.append(("child_terminated", kid.id, reason))
        if bad and kid.restart != "temporary":  # T1, T2
            self.restart(kid)
            return
        self.down(kid)  # T2, T3
        if kid.significant:  # A2 to A4
            left = any(each.significant and each.state != "undefined" for each in self.kids)
            if self.auto_shutdown == "any_significant" or not left:
                self.end()

    def restart(self, kid: Kid) -> None:
        self.times = [second for second in self.times if second >= self.now - 5] + [self.now]
        if len(self.times) > self.intensity:  # I1, I5
            self.log.append(("shutdown", kid.id, "reached_max_restart_intensity"))
            self.down(kid)
            self.end()
        first = self.kids.index(kid)
        scopes = {"one_for_all": self.kids[:], "rest_for_one": self.kids[first:]}  # R2, R3
        scope = scopes.get(self.strategy, [kid])
        kid.state = "undefined"
        if len(scope) > 1:
            self.stop_all(scope)
        for each in [each for each in scope if each in self.kids]:
            if (result := self.start(each)) == "fail":  # F1, F3, F4
                self.log.append(("start_error", each.id))
                each.state = "restarting"
                self.queue.append(lambda: self.try_again(each))  # noqa: B023  # it returns here
                return
            self.keep_if_started(each, result)

    def try_again(self, kid: Kid) -> None:
        if kid.state == "restarting" and kid in self.kids:  # F6
            self.restart(kid)

    def call(self, name: str, *args: Any) -> None:
        self.queue.append(lambda: self.replies.append(getattr(self, name)(*args)))

    def start_child(self, kid: Kid | None) -> Answer:
        if kid is None:  # D2
            self.numbered += 1
            kid = Kid(str(self.numbered), self.template.restart, self.template.significant)
        elif (old := self.find(kid.id)) is not None:  # P2, P3
            return False, "already_started" if old.state == "running" else "already_present"
        self.kids.append(kid)
        result = self.start(kid)
        if result == "fail":  # F10
            self.kids.remove(kid)
        self.keep_if_started(kid, result)  # P4
        return result != "fail", {"ok": kid.id, "ignore": None, "fail": "failed"}[result]

    def terminate_child(self, id: str) -> Answer:
        kid = self.find(id)
        if kid is not None:
            self.stop(kid)  # P5
        return (True, None) if kid or self.pool else (False, "not_found")  # P6, D5

    def refusal(self, id: str) -> str | None:
        """D6, P7, P8: why the child cannot be started by hand, nor deleted."""
        kid = self.find(id)
        if self.pool or kid is None:
            return self.strategy if self.pool else "not_found"
        return None if kid.state == "undefined" else kid.state

    def restart_child(self, id: str) -> Answer:
        kid = self.find(id)
        if kid is None or self.refusal(id):
            return False, self.refusal(id)
        result = self.start(kid)  # P7, F9
        return result != "fail", {"ok": kid.id, "ignore": None, "fail": "failed"}[result]

    def delete_child(self, id: str) -> Answer:
        kid = self.find(id)
        if kid is None or self.refusal(id):
            return False, self.refusal(id)
        self.kids.remove(kid)
        return True, None
