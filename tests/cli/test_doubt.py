"""`perdure doubt` and `perdure clear`: what people say about what the journal cannot know."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.ledger.records import Verdict
from tests.bank import PAYER, bank, calls
from tests.cli.verbs import answer, lines, perdure, process
from tests.crashes.test_kill_nine import bodies

STOLEN = PAYER.replace("amount=message.amount", "amount=message.amount + 1")
PAID = {"receipts": ["paid 7"]}


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    """A run whose process died when it had paid, and before that was known."""
    folder = bank(tmp_path / "bank")
    (folder / "kill").touch()
    with process("run", folder, "--ledger", tmp_path / "run", "--seed", "7") as dead:
        assert dead.wait(60) == -9
    assert len(calls(folder)) == 1
    return tmp_path / "run"


@pytest.fixture
def stalled(doubtful: Path) -> Path:
    """A run that was taken up with a handler that pays another amount."""
    bank(doubtful.parent / "bank", STOLEN)
    assert perdure("resume", doubtful, "--no-wait").exit_code == 4
    return doubtful


# --- doubt


def test_a_step_in_doubt_is_listed_with_its_call_before_anybody_resumes(doubtful: Path) -> None:
    shown = perdure("doubt", doubtful)
    assert shown.stdout.splitlines() == [
        "10  /bank/payer  bank.pay(amount=7)",
        "    financial, 10 tokens reserved, for message 9.0 Pay(7)",
    ]
    assert "1 step in doubt" in shown.stderr
    (form,) = answer("doubt", doubtful)["doubts"]
    assert form == {
        "id": 10,
        "actor": "/bank/payer",
        "message": "9.0",
        "said": {"$": "Pay", "amount": 7},
        "step": "bank.pay#1",
        "call": "bank.pay(amount=7)",
        "effect": "financial",
        "reserved": 10,
    }


def test_show_and_tree_say_who_is_stalled_and_what_to_type(doubtful: Path) -> None:
    assert perdure("resume", doubtful, "--no-wait").exit_code == 4
    shown = perdure("show", doubtful).stdout
    assert "stalled    /bank/payer: bank.pay(amount=7) (financial) is in doubt: record 10" in shown
    assert "perdure doubt RUN 10 --happened RESULT" in shown
    assert f"perdure doubt {doubtful}" in shown
    assert "stalled: bank.pay(amount=7) (financial) is in doubt" in perdure("tree", doubtful).stdout
    (payer,) = answer("tree", doubtful)["tree"][0]["children"]
    assert payer["life"] == "running"
    assert payer["stalled"].startswith("bank.pay(amount=7)")


def test_a_step_that_happened_has_the_result_that_a_person_gives_it(doubtful: Path) -> None:
    said = perdure("doubt", doubtful, "10", "--happened", '"paid 7"')
    assert said.stdout.splitlines()[0] == 'bank.pay(amount=7) happened, and came to "paid 7"'
    assert answer("doubt", doubtful)["doubts"] == []
    assert answer("resume", doubtful)["result"] == PAID
    assert len(calls(doubtful.parent / "bank")) == 1
    assert answer("show", doubtful)["tokens_spent"] == 10
    assert perdure("verify", doubtful).exit_code == 0


def test_a_step_that_did_not_happen_is_begun_anew(doubtful: Path) -> None:
    assert answer("doubt", doubtful, "10", "--did-not-happen") == {
        "format": 1,
        "run": str(doubtful),
        "id": 10,
        "verdict": "did-not-happen",
    }
    assert answer("show", doubtful)["tokens_spent"] == 0
    assert answer("resume", doubtful)["result"] == PAID
    done = calls(doubtful.parent / "bank")
    assert len(done) == 2
    assert len(set(done)) == 1  # the same step: what is outside can tell
    assert answer("show", doubtful)["tokens_spent"] == 10
    assert perdure("verify", doubtful).exit_code == 0


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["11", "--did-not-happen"], "record 11 is of no step in doubt"),
        (["10"], "say one of `--happened JSON` and `--did-not-happen`"),
        (["10", "--happened", "paid"], "this is no JSON"),
        (["10", "--happened", '{"$": "Nobody"}'], "Nobody"),
        (["--did-not-happen"], "which step?"),
    ],
)
def test_a_verdict_that_makes_no_sense_is_refused(
    doubtful: Path, args: list[str], complaint: str
) -> None:
    result = perdure("doubt", doubtful, *args)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert [body for body in bodies(doubtful).values() if isinstance(body, Verdict)] == []


def test_a_run_without_doubts_says_so(tmp_path: Path) -> None:
    folder = bank(tmp_path / "bank")
    assert perdure("run", folder, "--ledger", tmp_path / "run").exit_code == 0
    assert "nothing of" in perdure("doubt", tmp_path / "run").stderr


# --- clear


def test_an_edited_handler_stalls_its_actor_and_both_calls_are_shown(stalled: Path) -> None:
    reason = answer("tree", stalled)["tree"][0]["children"][0]["stalled"]
    assert "is recorded as bank.pay(amount=7)" in reason
    assert "now it asks for bank.pay(amount=8)" in reason
    assert "perdure clear RUN /bank/payer --forget" in reason


def test_a_resume_of_what_only_a_repair_helps_ends_and_says_so(stalled: Path) -> None:
    found = perdure("resume", stalled)
    assert found.exit_code == 4
    assert "waits for a repair" in perdure("show", stalled).stdout


def test_with_the_code_put_back_a_resume_looks_again(stalled: Path) -> None:
    bank(stalled.parent / "bank", idempotent=True)
    assert answer("resume", stalled, "--no-wait")["result"] == PAID


def test_again_clears_the_actor_and_the_next_resume_looks(stalled: Path) -> None:
    bank(stalled.parent / "bank", idempotent=True)
    said = perdure("clear", stalled, "/bank/payer", "--again")
    assert said.stdout.startswith("/bank/payer is looked at again\n")
    assert "stalled" not in answer("tree", stalled)["tree"][0]["children"][0]
    assert answer("resume", stalled)["result"] == PAID
    assert perdure("verify", stalled).exit_code == 0


def test_a_step_in_doubt_is_not_forgotten_unless_it_may_happen_twice(stalled: Path) -> None:
    refused = perdure("clear", stalled, "/bank/payer", "--forget")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert (
        "step bank.pay#1, bank.pay(amount=7) (financial), is in doubt: it may have happened"
        in refused.stderr
    )
    assert "`perdure doubt RUN 10 --happened RESULT` or `--did-not-happen`" in refused.stderr
    assert "`perdure clear RUN /bank/payer --forget --redo`" in refused.stderr
    assert [body for body in bodies(stalled).values() if isinstance(body, Verdict)][1:] == []
    assert perdure("clear", stalled, "/bank/payer", "--forget", "--redo").exit_code == 0
    assert answer("resume", stalled)["result"] == {"receipts": ["paid 8"]}
    assert perdure("verify", stalled).exit_code == 0


def test_an_effect_that_happened_is_not_forgotten_unless_it_may_happen_twice(stalled: Path) -> None:
    assert perdure("doubt", stalled, "10", "--happened", '"paid 7"').exit_code == 0
    assert perdure("resume", stalled, "--no-wait").exit_code == 4  # it stalls on that again
    refused = perdure("clear", stalled, "/bank/payer", "--forget")
    assert refused.exit_code == 2
    assert "bank.pay(amount=7) (financial), has happened (record" in refused.stderr


def test_what_did_not_happen_may_be_forgotten(stalled: Path) -> None:
    assert perdure("doubt", stalled, "10", "--did-not-happen").exit_code == 0
    assert perdure("resume", stalled).exit_code == 4  # it asks for another amount all the same
    assert perdure("clear", stalled, "/bank/payer", "--forget").exit_code == 0
    assert answer("resume", stalled)["result"] == {"receipts": ["paid 8"]}


def test_redo_is_a_word_of_forget(stalled: Path) -> None:
    refused = perdure("clear", stalled, "/bank/payer", "--again", "--redo")
    assert refused.exit_code == 2
    assert "--redo belongs to --forget" in refused.stderr


def test_forget_has_the_message_handled_as_if_it_were_new(stalled: Path) -> None:
    form = answer("clear", stalled, "/bank/payer", "--forget", "--redo")
    assert form["verdict"] == "forget"
    assert answer("doubt", stalled)["doubts"] == []
    assert answer("resume", stalled)["result"] == {"receipts": ["paid 8"]}
    assert answer("show", stalled)["tokens_spent"] == 20  # the forgotten step may have happened
    assert perdure("verify", stalled).exit_code == 0


def test_dead_gives_the_message_up(stalled: Path) -> None:
    assert perdure("clear", stalled, "/bank/payer", "--dead").exit_code == 0
    (letter,) = answer("dead", stalled)["dead_letters"]
    assert (letter["to"], letter["reason"]) == ("/bank/payer", "given up by a verdict")
    assert answer("resume", stalled)["status"] == "finished"
    assert answer("show", stalled)["tokens_spent"] == 10
    assert perdure("verify", stalled).exit_code == 0


def test_an_actor_that_is_well_is_not_repaired(tmp_path: Path) -> None:
    folder = bank(tmp_path / "bank")
    perdure("run", folder, "--ledger", tmp_path / "run")
    result = perdure("clear", tmp_path / "run", "/bank/payer", "--again")
    assert result.exit_code == 2
    assert "/bank/payer is not stalled" in result.stderr


def test_a_repair_needs_to_be_named(stalled: Path) -> None:
    result = perdure("clear", stalled, "/bank/payer")
    assert result.exit_code == 2
    assert "--again, --forget and --dead" in result.stderr


def test_trace_shows_intents_with_their_calls_and_verdicts(doubtful: Path) -> None:
    perdure("doubt", doubtful, "10", "--happened", '"paid 7"')
    traced = perdure("trace", doubtful).stdout
    assert "about to bank.pay(amount=7) (financial) for 9.0; 10 tokens reserved" in traced
    assert "verdict: happened bank.pay#1" in traced
    (intent,) = [line for line in lines("trace", doubtful) if line.get("kind") == "intent"]
    assert intent["asked"]["$tuple"][1] == {"amount": 7}
