"""A bank that deals transfers to accounts, and accounts that debit and credit by message.

    Deal ─► bank ── Debit ──► account A ── Credit ──► account B ── Settled ──► bank
            bank ── Close ──► every account ── Statement ──► bank ─► ledger.json

A debit and its credit are two turns; between them the money is in a message, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from random import Random

from perdure import Actor, DeadLetter, field, message

BANK = "/transfers/bank"
ACCOUNTS = "/transfers/accounts"
AMOUNT_MAX = 100


@message
class Deal:
    """To the bank: begin."""


@message
class Debit:
    """To the account that pays; `to` is the number of the one that is paid."""

    transfer: int
    to: int
    amount: int


@message
class Credit:
    """To the account that is paid: the money itself, on its way."""

    transfer: int
    amount: int


@message
class Settled:
    """To the bank: this transfer has arrived."""

    transfer: int


@message
class Close:
    """To an account: all is settled, say what you have."""


@message
class Statement:
    """To the bank: a balance, and every transfer that was debited and credited here."""

    account: str
    balance: int
    debited: tuple[int, ...]
    credited: tuple[int, ...]


class RandomFault(Exception):
    """A crash that the setting `faults` asked for."""


def deal(seed: int, accounts: int, transfers: int) -> list[tuple[int, Debit]]:
    """The transfers of a seed, as (number of the account that pays, debit); numbers begin at 1.

    Raises `ValueError` for fewer than two accounts.

    >>> deal(1, 8, 500) == deal(1, 8, 500)
    True
    """
    if accounts < 2:
        raise ValueError(f"{accounts} accounts cannot transfer anything; --set accounts=2 or more")
    random = Random(seed)
    dealt = []
    for transfer in range(1, transfers + 1):
        payer, paid = random.sample(range(1, accounts + 1), 2)
        dealt.append((payer, Debit(transfer, paid, random.randint(1, AMOUNT_MAX))))
    return dealt


def strikes(seed: int, name: str, probability: float) -> bool:
    """True for about `probability` of all names, and always the same ones for one seed."""
    digest = blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < probability * 2**64


def render_ledger(statements: Mapping[str, Statement]) -> str:
    """`ledger.json`: balances by account, and the transfers debited and credited, sorted.

    A transfer that was applied twice is in a list twice, one that was lost is not there.
    """
    ordered = sorted(statements.values(), key=lambda statement: int(statement.account))
    whole = {
        "balances": {statement.account: statement.balance for statement in ordered},
        "total": sum(statement.balance for statement in ordered),
        "debited": sorted(transfer for s in ordered for transfer in s.debited),
        "credited": sorted(transfer for s in ordered for transfer in s.credited),
    }
    return json.dumps(whole, indent=1) + "\n"


class Bank(Actor):
    """Deals the transfers, waits until all have arrived, then asks for the statements."""

    accounts: int = 2
    transfers: int = 0
    deal_seed: int = 0
    settled: set[int] = field(default_factory=set)
    statements: dict[str, Statement] = field(default_factory=dict)

    async def on_receive(self, message: Deal | Settled | Statement | DeadLetter) -> None:
        match message:
            case Deal():
                for payer, debit in deal(self.deal_seed, self.accounts, self.transfers):
                    self.tell(f"{ACCOUNTS}/{payer}", debit)
                self._close_when_settled()
            case Settled(transfer):
                self.settled.add(transfer)
                self._close_when_settled()
            case Statement():
                self.statements[message.account] = message
                if len(self.statements) == self.accounts:
                    await self._publish()
            case DeadLetter(to=to, reason=reason):
                self.finish({"error": f"{to} gave up: {reason}"})

    def _close_when_settled(self) -> None:
        if len(self.settled) == self.transfers:
            for number in range(1, self.accounts + 1):
                self.tell(f"{ACCOUNTS}/{number}", Close())

    async def _publish(self) -> None:
        await self.artifact("ledger.json", render_ledger(self.statements))
        total = sum(statement.balance for statement in self.statements.values())
        self.finish({"total": total, "transfers": len(self.settled)})


class Account(Actor):
    """A balance, and the numbers of the transfers behind it.

    It may be overdrawn: a refusal would depend on the order in which transfers happen to arrive,
    and the end of a run would no longer be known beforehand.
    """

    balance: int = 0
    debited: list[int] = field(default_factory=list)
    credited: list[int] = field(default_factory=list)
    faults: float = 0.0
    fault_seed: int = 0

    async def on_receive(self, message: Debit | Credit | Close) -> None:
        match message:
            case Debit(transfer, to, amount):
                self.balance -= amount
                self.debited.append(transfer)
                self.tell(f"{ACCOUNTS}/{to}", Credit(transfer, amount))
                self._maybe_crash(f"debit {transfer}")
            case Credit(transfer, amount):
                self.balance += amount
                self.credited.append(transfer)
                self.tell(BANK, Settled(transfer))
                self._maybe_crash(f"credit {transfer}")
            case Close():
                name = self.address.rsplit("/", 1)[-1]
                self.tell(
                    BANK,
                    Statement(name, self.balance, tuple(self.debited), tuple(self.credited)),
                )

    def _maybe_crash(self, what: str) -> None:
        # At the very end of the turn, when all is done and nothing is committed: the balance, the
        # note and the message must all be as if the attempt had never been.
        if self.attempt == 1 and strikes(self.fault_seed, what, self.faults):
            raise RandomFault(f"struck at {what}, as --set faults={self.faults} asked")
