"""Verbs that speak to a run while it goes on, in another process; and to one that stands still."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import NotTaken
from perdure.ledger.presence import is_owned
from perdure.runtime.ingress import outcome, post
from tests.bank import PAYER, bank
from tests.cli.verbs import ROOT, answer, lines, perdure, process
from tests.desk import SECONDS, at_desk, going_on

ADD = '{"$": "Add", "number": %d}'


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run that goes on in another process, and its directory."""
    words, directory = at_desk(tmp_path)
    with going_on(*words, directory=directory) as owner:
        yield owner, directory


def tell(directory: Path, number: int, *more: str) -> Any:
    return perdure("tell", directory, "/desk/counter", ADD % number, *more)


# --- tell


def test_a_live_run_is_told_and_says_so_when_it_is_durable(live: Any) -> None:
    _, directory = live
    said = tell(directory, 3)
    assert said.exit_code == 0
    assert said.stdout.startswith("told /desk/counter, as message ")
    told = answer("tell", directory, "/desk/counter", ADD % 4)
    assert (told["to"], len(told["post"])) == ("/desk/counter", 32)
    asked = tell(directory, 5, "--ask")
    assert (asked.stdout, asked.exit_code) == ("[3, 4, 5]\n", 0)
    form = answer("tell", directory, "/desk/counter", ADD % 6, "--ask")
    assert form["answer"] == [3, 4, 5, 6]
    assert list((directory / "ingress").iterdir()) == []
    assert perdure("verify", directory).exit_code == 0


def test_a_question_that_fails_exits_with_1_and_one_that_waits_with_4(live: Any) -> None:
    _, directory = live
    failed = tell(directory, -3, "--ask")
    assert failed.exit_code == 1
    assert "is a dead letter: ValueError: only upwards" in failed.stderr
    slow = perdure("tell", directory, "/desk/spare", '{"$": "Open"}', "--ask", "--timeout", "0.3")
    assert slow.exit_code == 4
    assert "no answer came within 0.3 s" in slow.stderr


@pytest.mark.parametrize(
    ("address", "form", "said"),
    [
        ("/desk/countr", ADD % 1, "Did you mean '/desk/counter'?"),
        ("/desk/counter", '{"$": "Ad"}', "Did you mean 'Add'?"),
        ("/desk/counter", '{"$": "Add"}', "needs 'number'"),
        ("/desk/counter", "{", "this is no JSON"),
    ],
)
def test_what_cannot_be_told_is_refused_live_or_not(
    live: Any, address: str, form: str, said: str
) -> None:
    owner, directory = live
    for _ in range(2):
        refused = perdure("tell", directory, address, form)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert said in refused.stderr
        owner.terminate()
        owner.wait(SECONDS)


def test_a_run_that_nobody_is_at_takes_it_when_it_is_resumed(live: Any) -> None:
    owner, directory = live
    owner.terminate()
    owner.wait(SECONDS)
    said = tell(directory, 3)
    assert said.exit_code == 0
    assert said.stdout.splitlines()[0].startswith("posted for /desk/counter: ")
    assert answer("tell", directory, "/desk/counter", ADD % 4)["message"] is None
    assert "so nobody would answer" in tell(directory, 5, "--ask").stderr
    assert perdure("resume", directory, "--no-wait").exit_code == 4
    assert answer("state", directory, "/desk/counter")["state"]["numbers"] == [3, 4]
    assert list((directory / "ingress").iterdir()) == []
    assert perdure("verify", directory).exit_code == 0


def test_a_run_that_is_over_takes_nothing(live: Any) -> None:
    owner, directory = live
    assert perdure("cancel", directory, "/desk/clerk").exit_code == 0
    assert owner.wait(SECONDS) == 0
    said = tell(directory, 3)
    assert said.exit_code == 2
    assert "the run is finished: nothing would take" in said.stderr
    assert list((directory / "ingress").iterdir()) == []


def test_an_owner_that_stands_still_takes_the_post_when_it_goes_on(live: Any) -> None:
    owner, directory = live
    os.kill(owner.pid, signal.SIGSTOP)
    os.waitpid(owner.pid, os.WUNTRACED)
    said = tell(directory, 3, "--timeout", "0.2")
    assert said.exit_code == 4
    assert f"process {owner.pid}, which is at the run, has not taken this" in said.stderr
    posted = post(directory, "ask", {"to": "/desk/counter", "message": json.loads(ADD % 4)})
    with pytest.raises(NotTaken):
        outcome(directory, posted, timeout=0.05)
    os.kill(owner.pid, signal.SIGCONT)
    assert outcome(directory, posted, timeout=SECONDS) == [3, 4]


def test_an_owner_that_is_killed_before_it_takes_a_post_leaves_it_to_the_next(live: Any) -> None:
    owner, directory = live
    os.kill(owner.pid, signal.SIGSTOP)
    os.waitpid(owner.pid, os.WUNTRACED)
    posted = post(directory, "tell", {"to": "/desk/counter", "message": json.loads(ADD % 3)})
    owner.kill()
    owner.wait(SECONDS)
    with pytest.raises(NotTaken, match="no process is at the run"):
        outcome(directory, posted, timeout=SECONDS)
    with going_on("resume", directory, directory=directory):
        assert "message" in outcome(directory, posted, timeout=SECONDS)
        assert tell(directory, 4, "--ask").stdout == "[3, 4]\n"


def test_posts_of_several_processes_at_once_are_all_done_each_in_its_order(live: Any) -> None:
    _, directory = live
    code = (
        "import sys; from perdure.runtime.ingress import outcome, post\n"
        "directory, first = sys.argv[1], int(sys.argv[2])\n"
        "for n in range(first, first + 15):\n"
        "    form = {'$': 'Add', 'number': n}\n"
        "    last = post(directory, 'tell', {'to': '/desk/counter', 'message': form})\n"
        "outcome(directory, last, timeout=20)\n"
    )
    posters = [
        subprocess.Popen([sys.executable, "-c", code, str(directory), str(first)], cwd=ROOT)
        for first in (100, 200, 300)
    ]
    assert [poster.wait(60) for poster in posters] == [0, 0, 0]
    numbers = json.loads(tell(directory, 1, "--ask").stdout)[:-1]
    for first in (100, 200, 300):
        mine = [number for number in numbers if first <= number < first + 100]
        assert mine == list(range(first, first + 15))


# --- the other verbs


def test_an_actor_of_a_live_run_is_cancelled_at_once(live: Any) -> None:
    _, directory = live
    said = perdure("cancel", directory, "/desk/spare")
    assert said.exit_code == 0
    assert said.stdout.startswith("/desk/spare is cancelled, 1 actor in all (record ")
    assert "resume" not in said.stdout
    again = perdure("cancel", directory, "/desk/spare")
    assert (again.exit_code, "no actor at" in again.stderr) == (2, True)
    assert "cancelled" in answer("cancel", directory, "/desk/clerk")


def test_an_actor_of_a_live_run_takes_nothing_while_it_is_suspended(live: Any) -> None:
    _, directory = live
    said = perdure("suspend", directory, "/desk/counter")
    assert said.stdout == "/desk/counter is suspended\n"
    assert tell(directory, 3).exit_code == 0
    states = {each["address"]: each["state"] for each in answer("ps", directory)["processes"]}
    assert states["/desk/counter"] == "suspended"
    assert answer("suspend", directory, "/desk/counter", "--off")["suspended"] is False
    assert tell(directory, 4, "--ask").stdout == "[3, 4]\n"
    nobody = perdure("suspend", directory, "/desk/nobody")
    assert (nobody.exit_code, "no actor at" in nobody.stderr) == (2, True)


def test_a_dead_letter_of_a_live_run_is_sent_again_at_once(live: Any) -> None:
    _, directory = live
    (letter,) = answer("dead", directory)["dead_letters"]
    said = perdure("dead", directory, "requeue", letter["id"])
    assert said.exit_code == 0
    assert said.stdout.startswith(f"{letter['id']} is sent again, as ")
    assert "resume" not in said.stdout
    assert tell(directory, 1, "--ask").exit_code == 0  # which is behind it
    (again,) = answer("dead", directory)["dead_letters"]
    assert (again["message"], again["id"] != letter["id"]) == (letter["message"], True)


SLEEPER = """
[[tree.children]]
id = "sleeper"
actor = "Sleeper"
[[tell]]
to = "/bank/sleeper"
message = {{ "$" = "Pay", amount = 1 }}
"""
SLEEPS = """
class Sleeper(Actor):
    async def on_receive(self, message: Pay) -> None:
        await self.sleep(3_600)
"""


def in_doubt(folder: Path) -> tuple[Path, Path]:
    """A bank that died while it paid; somebody sleeps there. Its folder, and its run."""
    where = bank(folder / "bank", PAYER + SLEEPS)
    toml = where / "scenario.toml"
    toml.write_text(toml.read_text() + SLEEPER.format())
    (where / "kill").touch()
    with process("run", where, "--ledger", folder / "run", "--seed", "7") as dead:
        assert dead.wait(SECONDS) == -9
    return where, folder / "run"


def test_a_step_in_doubt_is_judged_while_the_run_goes_on(tmp_path: Path) -> None:
    _, directory = in_doubt(tmp_path)
    (doubt,) = answer("doubt", directory)["doubts"]
    owner = process("resume", directory, "--json")
    assert owner.stdout is not None
    assert any('"stalled"' in line for line in owner.stdout)
    judged = perdure("doubt", directory, str(doubt["id"]), "--happened", '"paid 7"')
    assert judged.exit_code == 0, judged.stderr
    assert "resume" not in judged.stdout
    out, _ = owner.communicate(timeout=SECONDS)
    assert owner.returncode == 0
    assert json.loads(out.splitlines()[-1])["result"] == {"receipts": ["paid 7"]}
    assert perdure("verify", directory).exit_code == 0


def test_a_stalled_actor_is_cleared_while_the_run_goes_on(tmp_path: Path) -> None:
    _, directory = in_doubt(tmp_path)
    owner = process("resume", directory, "--json")
    assert owner.stdout is not None
    assert any('"stalled"' in line for line in owner.stdout)
    not_stalled = perdure("clear", directory, "/bank/sleeper", "--again")
    assert "is not stalled" in not_stalled.stderr
    assert perdure("clear", directory, "/bank/payer", "--dead").exit_code == 0
    (letter,) = answer("dead", directory)["dead_letters"]
    assert letter["reason"] == "given up by a verdict"
    assert perdure("cancel", directory, "/bank/sleeper").exit_code == 0
    owner.communicate(timeout=SECONDS)
    assert perdure("verify", directory).exit_code == 0


# --- ps


def ps(directory: Path, *more: str) -> Any:
    """What ps shows once the owner has answered: on a busy machine it may take its time."""
    for _ in range(20):
        shown = perdure("ps", directory, *more)
        if "has not answered" not in shown.stderr and '"owner": null' not in shown.stdout:
            break
    return shown


def test_ps_shows_what_each_actor_does_now(live: Any, tmp_path: Path) -> None:
    _, directory = live
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    tell(directory, 3)
    perdure("tell", directory, "/desk/counter", json.dumps({"$": "Hold", "pipe": str(pipe)}))
    with pipe.open("w"):  # opens when the handler has it open
        shown = ps(directory)
        form = json.loads(ps(directory, "--sort", "turns", "--limit", "1", "--json").stdout)
    rows = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert rows["address"].split()[-1] == "now"
    assert re.search(r"on_receive actors\.py:\d+  \d\.\d s$", rows["/desk/counter"])
    assert rows["/desk/clerk"].split()[2] == "waiting"
    assert rows["/desk/spare"].split()[2] == "running"
    assert "in flight, 4 at once" in shown.stderr
    assert (form["live"], form["actors"]) == (True, 4)
    (counter,) = form["processes"]
    assert (counter["address"], counter["turns"], counter["restarts"]) == ("/desk/counter", 1, 2)
    assert counter["now"]["handler"] == "on_receive"


def test_ps_shows_who_holds_the_kernel(live: Any, tmp_path: Path) -> None:
    _, directory = live
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    post(directory, "tell", {"to": "/desk/spare", "message": {"$": "Hold", "pipe": str(pipe)}})
    with pipe.open("w"):
        shown = ps(directory)
    first = shown.stdout.splitlines()[1]
    assert first.split()[0] == "/desk/spare"
    assert "on_receive actors.py:" in first
    assert "holding the kernel" in first
    assert "a handler holds the kernel" in shown.stderr


def test_ps_of_an_owner_that_stands_still_is_the_ledger_with_a_note(live: Any) -> None:
    owner, directory = live
    os.kill(owner.pid, signal.SIGSTOP)
    os.waitpid(owner.pid, os.WUNTRACED)  # until it stands still
    shown = perdure("ps", directory)
    assert f"process {owner.pid} has not answered within 1 s" in shown.stderr
    assert len(shown.stdout.splitlines()) == 5
    assert answer("ps", directory)["owner"] is None


def test_ps_of_a_run_that_nobody_is_at_is_its_ledger(live: Any) -> None:
    owner, directory = live
    owner.kill()
    owner.wait(SECONDS)
    assert perdure("cancel", directory, "/desk/spare").exit_code == 0
    shown = perdure("ps", directory, "--sort", "address", "--limit", "2")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == [
        "address",
        "/desk",
        "/desk/clerk",
    ]
    assert "… and 2 more: --limit 4" in shown.stderr
    assert "(interrupted): this is its ledger" in shown.stderr
    states = {row["address"]: row["state"] for row in answer("ps", directory)["processes"]}
    assert states["/desk/spare"] == "stopped"


# --- tree --watch


def test_watch_writes_a_line_for_each_change_until_the_run_ends(live: Any) -> None:
    owner, directory = live
    watch = process("tree", directory, "--watch", "--json")
    assert watch.stdout is not None
    first = json.loads(watch.stdout.readline())
    tell(directory, 3)
    second = json.loads(watch.stdout.readline())
    assert second["records"] > first["records"]
    owner.terminate()
    rest, _ = watch.communicate(timeout=SECONDS)
    assert watch.returncode == 0
    assert json.loads(rest.splitlines()[-1])["status"] == "interrupted"
    assert not is_owned(directory)


def test_watch_of_a_run_that_nobody_is_at_shows_it_once(live: Any) -> None:
    owner, directory = live
    owner.kill()
    owner.wait(SECONDS)
    (form,) = lines("tree", directory, "--watch")
    assert form["status"] == "interrupted"


def test_watch_is_for_terminals(live: Any) -> None:
    _, directory = live
    refused = perdure("tree", directory, "--watch")
    assert refused.exit_code == 2
    assert "this is no terminal" in refused.stderr
