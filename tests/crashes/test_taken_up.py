"""Workers are disposable: whoever takes a run up goes on from its last checkpoint.

With its verdicts and its idempotency keys, however often the process before was killed, and when.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.ledger.records import Birth, Open, Verdict
from tests.bank import bank, calls
from tests.cli.verbs import answer, perdure
from tests.crashes.killing import Job, Victim
from tests.crashes.test_kill_nine import bodies
from tests.crashes.wholeness import artifacts, look

CLERK = """
import os

from perdure import Actor, field, message, tool

@message
class Pay:
    amount: int

def done(name: str, amount: int, key: str) -> str:
    with open({calls!r}, "a") as file:
        file.write(f"{{name}} {{amount}} {{key}}\\n")
    last = f"{folder}/kill-{{name}}-{{amount}}"
    if os.path.exists(last):
        os.remove(last)
        os.kill(os.getpid(), 9)
    return f"{{name}} {{amount}}"

@tool("bank.book", effect="external", idempotent=True)
def book(amount: int, idempotency_key: str) -> str:
    return done("book", amount, idempotency_key)

@tool("bank.pay", effect="financial", tokens=10)
def pay(amount: int, idempotency_key: str) -> str:
    return done("pay", amount, idempotency_key)

class Payer(Actor):
    receipts: list[str] = field(default_factory=list)

    async def on_receive(self, message: Pay) -> None:
        self.receipts.append(await self.call(book, amount=message.amount))
        if message.amount == 9:
            self.finish(list(self.receipts))
            return
        self.receipts.append(await self.call(pay, amount=message.amount))
        await self.artifact(f"{{message.amount}}.txt", self.receipts[-1])
        self.mark("paid")
        self.tell(self.address, Pay(message.amount + 1))
"""
WHOLE = ["book 7", "pay 7", "book 8", "pay 8", "book 9"]


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with Victim() as process:
        yield process


def keys(folder: Path) -> dict[str, Counter[str]]:
    """The idempotency keys that each call was made with, and how often."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for line in calls(folder):
        name, amount, key = line.split()
        found[f"{name} {amount}"][key] += 1
    return found


def killed_twice(victim: Victim, folder: Path, directory: Path) -> Job:
    """A run of which one process died as it booked, and the next one as it paid."""
    job = Job(bank(folder, CLERK), directory)
    for name in ("book", "pay"):
        (folder / f"kill-{name}-8").touch()
        assert victim.run(job).was_killed
        look(directory)
    return job


def test_a_run_is_taken_up_by_one_process_after_the_other_at_every_record_after_a_verdict(
    victim: Victim, tmp_path: Path
) -> None:
    folder, first = tmp_path / "bank", tmp_path / "first"
    job = killed_twice(victim, folder, first)
    assert answer("resume", first, "--no-wait")["status"] == "waiting"
    (doubt,) = answer("doubt", first)["doubts"]
    assert perdure("doubt", first, doubt["id"], "--happened", '"pay 8"').exit_code == 0
    said, once = bodies(first), calls(folder)
    assert any(isinstance(body, Verdict) for body in said.values())

    kills = 0
    for seq in range(max(said) + 1, max(said) + 100):
        other = job._replace(directory=tmp_path / f"at-{seq}")
        shutil.copytree(first, other.directory)
        (folder / "calls").write_text("".join(f"{line}\n" for line in once))
        was_killed = victim.run(other._replace(crash_at=seq)).was_killed
        assert answer("doubt", other.directory)["doubts"] == [], seq  # nobody is asked again
        done = victim.run(other)
        assert done.report is not None, (seq, done)
        assert done.report["result"] == WHOLE, seq
        assert {name: len(found) for name, found in keys(folder).items()} == dict.fromkeys(WHOLE, 1)
        assert keys(folder)["pay 8"].total() == keys(folder)["pay 7"].total() == 1
        assert artifacts(other.directory) == {"7.txt": b"pay 7", "8.txt": b"pay 8"}
        assert answer("show", other.directory)["tokens_spent"] == 20
        look(other.directory)
        kills += was_killed
        if not was_killed:
            break  # the run was over before
    print(f"taken up after a kill at each of {kills} records")
    assert kills > 5


def test_who_takes_a_run_up_does_not_begin_anything_again(victim: Victim, tmp_path: Path) -> None:
    job = killed_twice(victim, tmp_path / "bank", tmp_path / "run")
    resumed = answer("resume", job.directory, "--no-wait")
    assert resumed["status"] == "waiting"
    said = bodies(job.directory).values()
    opened = [body for body in said if isinstance(body, Open)]
    assert len({body.pid for body in opened}) == len(opened) == 3
    assert sum(isinstance(body, Birth) for body in said) == 2  # the root and the payer, once
    assert answer("state", job.directory, "/bank/payer")["state"] == {
        "receipts": ["book 7", "pay 7"]
    }
    found = keys(tmp_path / "bank")
    assert {name: list(counter.values()) for name, counter in found.items()} == {
        "book 7": [1], "pay 7": [1], "book 8": [2], "pay 8": [1],
    }  # fmt: skip
