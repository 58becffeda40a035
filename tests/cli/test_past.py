"""The verbs that look at a run's past: state --at, diff, why, trace --causal."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.verbs import answer, lines, perdure, process, shop

ASKING = """
format = 1
name = "asking"
code = "actors.py"
[tree]
id = "asking"
strategy = "one_for_one"
[[tree.children]]
id = "asker"
actor = "Asker"
[[tree.children]]
id = "clerk"
actor = "Clerk"
[[tell]]
to = "/asking/asker"
message = { "$" = "Go" }
"""
ASKING_ACTORS = """
from perdure import Actor, message

@message
class Go:
    pass

class Asker(Actor):
    async def on_receive(self, message: Go) -> None:
        await self.sleep(0.01)
        await self.ask("../clerk", message)

class Clerk(Actor):
    async def on_receive(self, message: Go) -> int:
        return 1
"""


@pytest.fixture
def stolen(tmp_path: Path, own_home: Path) -> Path:
    """A run with two crashes and a dead letter; its name is shop-1."""
    perdure("run", shop(tmp_path / "shop", "stolen"), "--seed", "7")
    return own_home / "shop-1"


@pytest.fixture
def sold(tmp_path: Path, own_home: Path) -> Path:
    """A run in which bread was sold; its name is shop-1."""
    perdure("run", shop(tmp_path / "shop", "bread"), "--seed", "7")
    return own_home / "shop-1"


def record(kind: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    """One of the records of a kind that have these fields."""
    found = [r for r in lines("trace", "last") if r.get("kind") == kind]
    return [r for r in found if all(r.get(name) == v for name, v in fields.items())][number]


def sale() -> int:
    """The record of the turn that sold something."""
    return int(record("turn", 1, actor="/shop/till")["seq"])


# --- state --at


def test_state_can_be_of_any_record(sold: Path) -> None:
    before = perdure("state", "last", "/shop/till", "--at", str(sale() - 1)).stdout.splitlines()
    assert before[0].startswith(
        f"/shop/till  Till   incarnation 1   at record {sale() - 1}: as record "
    )
    assert before[1:] == ["  price = 3", "  sold = []"]
    after = perdure("state", "last", "/shop/till", "--at", str(sale())).stdout.splitlines()
    assert after[1:] == ["  price = 3", '  sold = ["bread"]']


def test_state_at_a_point_has_json(sold: Path) -> None:
    form = answer("state", "last", "/shop/till", "--at", str(sale()))
    assert (form["at"], form["seq"], form["incarnation"]) == (sale(), sale(), 1)
    assert form["state"] == {"price": 3, "sold": ["bread"]}
    assert form["state_hash"] == record("turn", 1, actor="/shop/till")["state_hash"]


def test_state_at_the_end_of_time_is_the_state(sold: Path) -> None:
    now = answer("state", "last", "/shop/till")["state"]
    assert answer("state", "last", "/shop/till", "--at", "+9999")["state"] == now
    assert answer("state", "last", "/shop/till", "--at", "2099-01-01")["state"] == now


def test_state_before_the_first_turn_says_so(sold: Path) -> None:
    birth = record("birth", 1)["seq"]
    result = perdure("state", "last", "/shop/till", "--at", str(birth))
    assert "Till   not started yet   at record" in result.stdout
    assert "no turn has changed its state yet" in result.stderr


# --- diff


def test_diff_tells_what_changed(sold: Path) -> None:
    told = perdure("diff", "last", str(sale() - 1), str(sale())).stdout.splitlines()
    assert [line.split()[0] for line in told[:2]] == ["from", "to"]
    assert told[2:] == ["", "/shop/till   Till   1 turn   -1 waiting", '  sold[0] + "bread"']


def test_diff_tells_of_crashes_restarts_and_dead_letters(stolen: Path) -> None:
    crash = record("crash")["seq"]
    told = perdure("diff", "last", str(crash - 1)).stdout
    assert "/shop/till   Till   running, incarnation 3   1 turn   2 crashes   2 restarts" in told
    assert "to /shop/till: ValueError: it is stolen" in told
    assert "artifact  receipt.txt\n" in told
    assert told.endswith("status    finished\n")


def test_diff_has_json(sold: Path) -> None:
    form = answer("diff", "last", str(sale() - 1), str(sale() + 1), "--actor", "/shop/till")
    (till,) = form["actors"]
    assert till["fields"] == [{"path": "sold[0]", "after": "bread"}]
    assert (till["class"], till["born"], till["turns"]) == ("Till", False, 2)
    assert (form["first"], form["last"], form["artifacts"]) == (
        sale() - 1,
        sale() + 1,
        ["receipt.txt"],
    )


def test_diff_of_a_point_with_itself_says_that_nothing_changed(sold: Path) -> None:
    result = perdure("diff", "last", "5", "5")
    assert result.exit_code == 0
    assert "nothing changed" in result.stderr
    quiet = perdure("diff", "last", str(sale() - 1), str(sale()), "--actor", "/shop")
    assert "nothing changed" in quiet.stderr


# --- why


def test_why_gives_the_evidence_back_to_the_first_message(stolen: Path) -> None:
    crash = record("crash")
    told = perdure("why", "last", str(crash["seq"])).stdout.splitlines()
    assert told[0].startswith(f"record {crash['seq']}   crash of /shop/till, incarnation 1, 00:00")
    assert told[1:3] == [
        "goal      Sell what there is.",
        f"message   {crash['message']} Sale('stolen') from outside",
    ]
    assert "policy    grants: not enforced yet" in told
    assert told[-1].startswith("because")
    assert "post  scenario; → Sale to /shop/till" in told[-1]


def test_why_has_json(stolen: Path) -> None:
    crash = record("crash", 1)
    form = answer("why", "last", str(crash["seq"]))
    assert (form["goal"], form["record"]["seq"]) == ("Sell what there is.", crash["seq"])
    assert form["message"]["message"] == {"$": "Sale", "what": "stolen"}
    assert form["policy"] == {
        "grants": "not enforced yet",
        "tokens": {"reserved": 0, "spent": 0, "limit": 1_000_000},
    }
    assert [step["kind"] for step in form["steps"]] == ["crash"]  # the attempt before
    assert [each["kind"] for each in form["causes"]] == ["post"]
    assert form["state"]["before"] == form["state"]["after"]


def test_why_shows_each_step_once_and_leads_through_answers(tmp_path: Path) -> None:
    folder = tmp_path / "asking"
    folder.mkdir()
    (folder / "scenario.toml").write_text(ASKING)
    (folder / "actors.py").write_text(ASKING_ACTORS)
    assert perdure("run", folder).exit_code == 0
    asker = record("turn", -1, actor="/asking/asker")
    answering = record("turn", -1, actor="/asking/clerk")
    told = perdure("why", "last", str(asker["seq"])).stdout
    assert f"; answered by record {answering['seq']}\n" in told
    assert told.count("ask /asking/clerk#1 while at") == 2  # as a step, as a cause
    assert told.partition("\ninputs")[2].count("step ") == 0
    assert "sleep is done; result " in told
    assert re.search(r"; waited 0\.[0-9]*[1-9][0-9]* s\n", told)
    assert "0.0 ms" not in told.partition("\nsteps")[2]
    causes = [line.split()[0] for line in told.partition("because   ")[2].splitlines()]
    form = answer("why", "last", str(asker["seq"]))
    assert causes == [str(each["seq"]) for each in form["causes"]]
    assert [each["kind"] for each in form["causes"]] == ["turn", "ask", "post"]
    assert form["answers"] == {"ask /asking/clerk#1": answering["seq"]}
    assert "sleep is done" in perdure("trace", "last").stdout


def test_why_of_a_supervisors_decision_has_its_reasons(stolen: Path) -> None:
    exit_ = next(r for r in lines("trace", "last") if r.get("notes"))
    told = perdure("why", "last", str(exit_["seq"])).stdout
    assert "proposal  sets supervision" in told
    assert "/shop/till is starting (incarnation 2)" in told
    assert "of the control lane, which goes first" in told


def test_why_of_the_first_record_is_that_nothing_led_to_it(sold: Path) -> None:
    assert perdure("why", "last", "1").stdout.endswith("because   nothing in this run led to it\n")


# --- trace --causal


def test_trace_causal_shows_what_led_to_what(stolen: Path) -> None:
    told = perdure("trace", "last", "--causal").stdout.splitlines()
    assert told[0] == "record  clock"
    assert len([line for line in told[1:] if line]) == answer("show", "last")["records"]
    post = next(i for i, line in enumerate(told) if "post  scenario; → Sale to" in line)
    assert "└─ /shop/till" in told[post + 1] or "├─ /shop/till crash  attempt 1" in told[post + 1]
    assert any("│  └─ /shop  " in line and "exit of /shop/till" in line for line in told)


def test_trace_causal_has_the_clocks_as_json(stolen: Path) -> None:
    *stamps, last = lines("trace", "last", "--causal")
    clocks = {stamp["seq"]: stamp["clock"] for stamp in stamps}
    assert last["records"] == len(stamps) == len(clocks)
    for stamp in stamps:
        assert stamp["clock"] == 1 + max((clocks[seq] for seq in stamp["after"]), default=0)
    till = [stamp["number"] for stamp in stamps if stamp["agent"] == "/shop/till"]
    assert till == list(range(1, len(till) + 1))


def test_trace_causal_can_be_of_one_actor_or_some_records(stolen: Path) -> None:
    whole = perdure("trace", "last", "--causal").stdout.splitlines()
    narrow = perdure("trace", "last", "--causal", "--actor", "/shop/till").stdout.splitlines()
    assert len(narrow) < len(whole)
    assert any("post  scenario" in line for line in narrow)  # what led to it
    some = lines("trace", "last", "--causal", "--first", "5", "--last", "8")
    assert [stamp["seq"] for stamp in some[:-1]] == [5, 6, 7, 8]
    drawn = perdure("trace", "last", "--causal", "--first", "5", "--last", "8").stdout
    assert "because of 4:" in drawn


# --- what is refused


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("state", "last", "/shop/till", "--at", "999"), "there is no record 999"),
        (("state", "last", "/shop/till", "--at", "0"), "there is no record 0"),
        (("state", "last", "/shop/till", "--at", "-1"), "'-1' is before record 1: points are not"),
        (("state", "last", "/shop/till", "--at", "draft"), "there is no mark 'draft'"),
        (("state", "last", "/shop/till", "--at", "25:99:99"), "'25:99:99' is not a time"),
        (("state", "last", "/shop/till", "--at", "2"), "no actor /shop/till at record 2"),
        (("state", "last", "/shop/tll", "--at", "9"), "Did you mean '/shop/till'?"),
        (("state", "last", "/shop/till", "--at", "2001-01-01"), "is before the run began"),
        (("diff", "last", "9", "5"), "record 9 is after record 5: write the earlier"),
        (("diff", "last", "5", "999"), "there is no record 999"),
        (("diff", "last", "5", "9", "--actor", "/x"), "there is no actor /x"),
        (("why", "last", "999"), "there is no record 999"),
        (("why", "last", "x"), "'x' is not a valid integer"),
        (("trace", "last", "--causal", "--actor", "/x"), "there is no actor /x"),
    ],
)
def test_what_does_not_exist_is_refused_in_one_sentence(
    sold: Path, args: tuple[str, ...], said: str
) -> None:
    result = perdure(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("state", "last", "/shop/till", "--at", "{seq}"),
        ("diff", "last", "2", "{seq}"),
        ("why", "last", "{seq}"),
        ("trace", "last", "--causal"),
    ],
)
def test_a_damaged_record_is_exit_3(sold: Path, args: tuple[str, ...]) -> None:
    turn = record("turn", 1, actor="/shop/till")
    seq, data = str(turn["seq"]), sold / "ledger" / "data.mdb"
    data.write_bytes(data.read_bytes().replace(bytes.fromhex(turn["hash"]), bytes(16)))
    result = perdure(*(arg.format(seq=seq) for arg in args))
    assert result.exit_code == 3, result.stdout
    assert "does not follow record" in result.stderr


def test_all_of_it_works_while_the_run_goes_on(tmp_path: Path, own_home: Path) -> None:
    folder = shop(tmp_path / "shop", "slowly")
    running = process("run", folder)
    try:
        assert running.stdout is not None
        while "selling" not in running.stdout.readline():
            pass
        deadline = time.monotonic() + 10
        while perdure("state", "last", "/shop/till", "--at", "+9").exit_code:
            assert time.monotonic() < deadline, "its records never became durable"
        seq = str(answer("show", "last")["records"])
        for args in (
            ("state", "last", "/shop/till", "--at", seq),
            ("diff", "last", "1", seq),
            ("why", "last", seq),
            ("trace", "last", "--causal"),
        ):
            result = perdure(*args)
            assert result.exit_code == 0, result.stderr
            assert result.stdout
    finally:
        running.kill()
        running.communicate()


def test_diff_can_be_with_another_run(tmp_path: Path, own_home: Path) -> None:
    for number, what in enumerate(("bread", "cake")):
        perdure("run", shop(tmp_path / f"shop{number}", what), "--seed", "7")
    end = str(answer("show", "shop-1")["records"])
    told = perdure("diff", "shop-1", end, "--with", "shop-2").stdout.splitlines()
    assert [line.split()[:2] for line in told[:3]] == [
        ["from", "shop-1,"],
        ["to", "shop-2,"],
        ["shared", "0"],
    ]
    assert '  sold[0] = "bread" → "cake"' in told
    form = answer("diff", "shop-1", end, "--with", "shop-2", "--actor", "/shop/till")
    assert (form["run"], form["with"], form["shared"]) == ("shop-1", "shop-2", 0)
    assert form["actors"][0]["fields"] == [{"path": "sold[0]", "before": "bread", "after": "cake"}]
    same = perdure("diff", "shop-1", end, "--with", "shop-1")
    assert "nothing changed" in same.stderr
