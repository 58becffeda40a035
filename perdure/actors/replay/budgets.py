"""What was left of the budget whenever a turn began: turns read it as of their start."""

from __future__ import annotations

from collections import deque

from perdure.caps.budget import Budget
from perdure.ledger import records
from perdure.limits import REPLAY_BUDGETS_MAX


class Budgets:
    """The run's budget after each record that changed it, the latest of them."""

    def __init__(self) -> None:
        self.now = Budget(None)
        self._past: deque[tuple[int, int, Budget]] = deque(maxlen=REPLAY_BUDGETS_MAX)

    def change(self, seq: int, time: int, budget: Budget) -> None:
        """Record `seq`, of ledger time `time`, left this much."""
        self.now = budget
        self._past.append((seq, time, budget))

    def reserve(self, seq: int, body: records.Intent) -> None:
        """An intent put this much aside."""
        if body.tokens:
            after = self.now._replace(reserved=self.now.reserved + body.tokens)
            self.change(seq, body.time, after)

    def settle(self, seq: int, body: records.Result) -> None:
        """A result came to this much."""
        if body.reserved or body.tokens:
            limit, spent, reserved = self.now
            self.change(
                seq, body.time, Budget(limit, spent + body.tokens, reserved - body.reserved)
            )

    def at(self, time: int, seq: int) -> Budget:
        """The budget of a turn that began at ledger time `time` and before record `seq`."""
        for at, when, budget in reversed(self._past):
            if when <= time and at < seq:
                return budget
        return self._past[0][2] if self._past else self.now
