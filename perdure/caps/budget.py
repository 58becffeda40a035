"""Budgets as values: reserve before a step, settle after it; spent + reserved <= limit, always."""

from __future__ import annotations

from typing import NamedTuple

from perdure.errors import Broken, BudgetExhausted


class Budget(NamedTuple):
    """Tokens of one run: `limit` None is no limit.

    >>> budget = Budget(100).reserve(60).settle(60, 50)
    >>> budget.spent, budget.reserved, budget.left
    (50, 0, 50)
    """

    limit: int | None
    spent: int = 0
    reserved: int = 0

    @property
    def left(self) -> int | None:
        """What is neither spent nor reserved; None without a limit."""
        return None if self.limit is None else self.limit - self.spent - self.reserved

    def admits(self, tokens: int) -> bool:
        """Whether a reservation fits now."""
        return self.limit is None or self.spent + self.reserved + tokens <= self.limit

    def could_admit(self, tokens: int) -> bool:
        """Whether it would fit if every open reservation came back unspent."""
        return self.limit is None or self.spent + tokens <= self.limit

    def reserve(self, tokens: int) -> Budget:
        """The budget with that much reserved; raises `BudgetExhausted` when it does not fit."""
        if not self.admits(tokens):
            raise BudgetExhausted(
                f"the run's budget has {self.left:,} of {self.limit:,} tokens left, and the step "
                f"needs {tokens:,}. Raise [budget] tokens, or ask for less."
            )
        return Budget(self.limit, self.spent, self.reserved + tokens) if tokens else self

    def settle(self, reserved: int, spent: int) -> Budget:
        """The budget with a reservation turned into what was really spent.

        A bill above its reservation is charged in full: it was spent.
        """
        if reserved > self.reserved:
            raise Broken(f"settling {reserved} tokens of which only {self.reserved} are reserved")
        return Budget(self.limit, self.spent + spent, self.reserved - reserved)
