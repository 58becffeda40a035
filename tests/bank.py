"""Scenarios whose tools leave a line in a file outside for each call: what really happened.

With a file `kill` beside it, the payment's process dies when it is made, before anybody knows.
"""

from __future__ import annotations

from pathlib import Path

SCENARIO = """
format = 1
name = "bank"
goal = "Pay, and keep the receipt."
code = "actors.py"
[budget]
tokens = 1_000
[tree]
id = "bank"
strategy = "one_for_one"
intensity = 9
[[tree.children]]
id = "payer"
actor = "Payer"
[[tell]]
to = "/bank/payer"
message = {{ "$" = "Pay", amount = {amount} }}
"""

PAYER = """
import os

from perdure import Actor, field, message, tool

@message
class Pay:
    amount: int

@tool("bank.pay", effect="{effect}", idempotent={idempotent}, tokens=10)
def pay(amount: int, idempotency_key: str = "") -> str:
    with open({calls!r}, "a") as file:
        file.write(idempotency_key + "\\n")
    if os.path.exists({folder!r} + "/kill"):
        os.remove({folder!r} + "/kill")
        os.kill(os.getpid(), 9)
    return f"paid {{amount}}"

class Payer(Actor):
    receipts: list[str] = field(default_factory=list)

    async def on_receive(self, message: Pay) -> None:
        self.receipts.append(await self.call(pay, amount=message.amount))
        self.finish({{"receipts": list(self.receipts)}})
"""

STEPPER = """
from perdure import Actor, message, tool

@message
class Pay:
    amount: int

def note(n: int) -> int:
    with open({calls!r}, "a") as file:
        file.write(f"{{n}}\\n")
    return n

def look(n: int) -> int:
    return note(n)

@tool("bank.step", effect="external", idempotent=True)
def act(n: int, idempotency_key: str = "") -> int:
    return note(n)

class Payer(Actor):
    async def on_receive(self, message: Pay) -> None:
        total = 0
        for n in range(message.amount):
            if n % 2:
                total += await self.call(act, n=n)
            else:
                total += await self.once(look, n)
        self.finish({{"total": total, "at": self.now().timestamp() > 0}})
"""


def bank(
    folder: Path,
    code: str = PAYER,
    *,
    amount: int = 7,
    effect: str = "financial",
    **options: object,
) -> Path:
    """A scenario that pays once; its calls are the lines of `calls` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    idempotent = options.get("idempotent", False)
    calls = str(folder / "calls")
    (folder / "scenario.toml").write_text(SCENARIO.format(amount=amount))
    (folder / "actors.py").write_text(
        code.format(effect=effect, idempotent=idempotent, calls=calls, folder=str(folder))
    )
    return folder


def calls(folder: Path) -> list[str]:
    """The lines that calls left, in order."""
    try:
        return (folder / "calls").read_text().splitlines()
    except FileNotFoundError:
        return []
