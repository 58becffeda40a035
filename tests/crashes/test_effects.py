"""`kill -9` between the intent and the result of a step: redone, or in doubt; never lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from perdure.caps.tool import Effect
from perdure.ledger.records import Intent
from tests.bank import STEPPER, bank, calls
from tests.cli.verbs import answer, perdure
from tests.crashes.killing import KILLS_EVERY, Job, Victim
from tests.crashes.test_kill_nine import bodies
from tests.crashes.wholeness import look

STEPS = 50


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with Victim() as process:
        yield process


@pytest.fixture(scope="module")
def intent(victim: Victim, tmp_path_factory: pytest.TempPathFactory) -> int:
    """The record of the intent, in a run that nobody kills."""
    folder = tmp_path_factory.mktemp("whole")
    assert victim.run(Job(bank(folder / "bank"), folder / "run")).code == 0
    found = bodies(folder / "run").items()
    return next(seq for seq, body in found if isinstance(body, Intent))


@pytest.mark.parametrize("has_happened", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("idempotent", [True, False], ids=["idempotent", "once"])
@pytest.mark.parametrize("effect", get_args(Effect))
def test_an_effect_is_redone_with_its_key_or_in_doubt_whatever_its_class(
    victim: Victim,
    intent: int,
    tmp_path: Path,
    effect: str,
    idempotent: bool,
    has_happened: bool,
) -> None:
    folder = bank(tmp_path / "bank", effect=effect, idempotent=idempotent)
    job = Job(folder, tmp_path / "run")
    if has_happened and effect != "read":  # a read need not wait until its intent is durable
        (folder / "kill").touch()  # the tool sends it, when it is done
        assert victim.run(job).was_killed
        assert len(calls(folder)) == 1
    else:
        assert victim.run(job._replace(crash_at=intent)).was_killed
        assert effect == "read" or calls(folder) == []
    before = calls(folder)
    resumed = answer("resume", job.directory, "--no-wait")
    if effect == "read" or idempotent:
        assert resumed["result"] == {"receipts": ["paid 7"]}
        assert len(calls(folder)) == len(before) + 1
        assert len(set(calls(folder))) == 1  # the same key each time
    else:
        assert resumed["status"] == "waiting"
        assert calls(folder) == before
        judge(job.directory, has_happened)
        assert len(calls(folder)) == 1
    assert answer("show", job.directory)["tokens_spent"] == 10
    look(job.directory)


def judge(directory: Path, has_happened: bool) -> None:
    """Find the step in doubt, say what became of it, and go on to the end."""
    (doubt,) = answer("doubt", directory)["doubts"]
    assert (doubt["call"], doubt["reserved"]) == ("bank.pay(amount=7)", 10)
    verdict = ["--happened", '"paid 7"'] if has_happened else ["--did-not-happen"]
    assert perdure("doubt", directory, doubt["id"], *verdict).exit_code == 0
    look(directory)
    assert answer("resume", directory)["result"] == {"receipts": ["paid 7"]}
    assert answer("doubt", directory)["doubts"] == []


@pytest.mark.parametrize(
    ("moment", "stride"), [("crash_at", KILLS_EVERY), ("crash_before", 3 * KILLS_EVERY)]
)
def test_fifty_steps_killed_at_every_record_redo_at_most_the_one_that_was_interrupted(
    victim: Victim, tmp_path: Path, moment: str, stride: int
) -> None:
    whole = bank(tmp_path / "whole", STEPPER, amount=STEPS)
    end = victim.run(Job(whole, tmp_path / "whole-run"))
    assert end.report is not None
    assert end.report["result"] == {"total": sum(range(STEPS)), "at": True}
    redone = killed = 0
    seqs = range(1, end.durable + 1, stride)
    for seq in seqs:
        folder = bank(tmp_path / f"bank-{seq}", STEPPER, amount=STEPS)
        job = Job(folder, tmp_path / f"run-{seq}")
        killed += victim.run(job._replace(**{moment: seq})).was_killed
        assert victim.run(job).report == end.report, seq
        times = Counter(calls(folder))
        assert times.keys() == {str(n) for n in range(STEPS)}
        again = [n for n, count in times.items() if count > 1]
        assert len(again) <= 1, (seq, again)
        assert all(times[n] == 2 for n in again), (seq, times)
        redone += len(again)
    look(job.directory)
    print(f"{killed} kills, {redone} steps redone, of {STEPS * len(seqs)}")
    assert killed >= len(seqs) - 2
