"""View: a ledger read from outside tells all that there is to know, without the run's code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perdure import Run
from perdure.errors import LedgerDamaged, NotALedger, UnknownActor
from perdure.ids import MessageId
from perdure.ledger.jsonform import to_json
from perdure.ledger.memory import MemoryStore
from perdure.ledger.store import open_store
from perdure.runtime.view import View
from tests.lived import lived

ROOT = Path(__file__).parents[2]
COUNTER = ROOT / "scenarios" / "counter"


def view() -> View:
    return View(lived())


# --- the run as a whole


def test_the_header_says_what_the_run_is() -> None:
    assert (view().run.scenario, view().run.seed) == ("r", 7)


def test_a_ledger_in_which_nothing_ran_says_so() -> None:
    with pytest.raises(NotALedger, match="the ledger is empty"):
        assert View(MemoryStore()).run


def test_totals_are_of_all_actors() -> None:
    totals = view().totals()
    assert totals._asdict() == {
        "turns": 2,
        "crashed": 2,
        "restarts": 2,
        "dead_letters": 1,
        "tokens_spent": 15,
        "tokens_limit": 1_000_000,
    }


def test_the_status_is_the_one_recorded() -> None:
    assert view().status.status == "waiting"
    assert view().result is None


def test_a_result_is_decoded(tmp_path: Path) -> None:
    with Run(COUNTER, tmp_path / "run") as run:
        run.wait(60)
    with View(tmp_path / "run") as finished:
        assert finished.status.status == "finished"
        assert finished.result == {"total": 42}


def program_with(directory: Path, then: str, **options: int) -> str:
    """A Python program that runs one idle actor, and then does something."""
    given = "".join(f", {name}={value}" for name, value in options.items())
    return f"""
import sys
from perdure import Child, Run
from tests.kit import program
from tests.lived import Quiet
with Run(program(Child("quiet", Quiet)), {str(directory)!r}{given}) as run:
    run.tell("/r/quiet", "something").get(timeout=60)
    {then}
"""


def test_a_run_whose_process_was_killed_is_interrupted(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    script = program_with(directory, "pass", crash_at=5)
    child = subprocess.run([sys.executable, "-c", script], cwd=ROOT)
    assert child.returncode == -signal.SIGKILL
    with View(directory) as killed:
        assert killed.status.status == "interrupted"
        assert killed.status.reason == "its process died"
        assert killed.head.seq == 5


def test_a_run_can_be_looked_at_while_its_process_goes_on(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    script = program_with(directory, 'print("up", flush=True); sys.stdin.read()')
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        with View(directory) as live:
            assert live.status.status in ("starting", "running")
            assert [root.address for root in live.tree()] == ["/r"]
        child.communicate(b"")
    assert child.returncode == 0


def test_a_directory_without_a_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotALedger):
        View(tmp_path)


def test_a_store_that_was_given_open_stays_open(tmp_path: Path) -> None:
    store = open_store(tmp_path / "run", create=True)
    View(store).close()
    assert store.head().seq == 0
    store.close()


# --- actors


def test_the_tree_is_in_start_order_and_hides_implicit_supervisors() -> None:
    (root,) = view().tree()
    assert (root.address, root.kind) == ("/r", "one_for_one")
    assert [child.address for child in root.children] == ["/r/mixer", "/r/bad"]
    assert [child.address for child in root.children[0].children] == ["/r/mixer/child"]


def test_a_node_says_how_an_actor_is() -> None:
    bad = next(node for node in view().actors() if node.address == "/r/bad")
    assert (bad.kind, bad.life, bad.incarnation) == ("Bad", "running", 2)
    assert (bad.turns, bad.crashes, bad.restarts, bad.waiting) == (0, 1, 1, 1)
    assert bad.reason == "ValueError: cannot take salt"


def test_a_supervisor_says_how_many_restarts_count() -> None:
    (root,) = view().tree()
    now_ns = view().head.time_ns
    assert (root.restarts_below, root.counted(now_ns)) == (2, 2)
    assert root.counted(now_ns + 60 * 10**9) == 0


def test_a_ledger_without_actors_has_no_tree() -> None:
    assert View(MemoryStore()).tree() == []


def test_an_actor_is_found_by_its_address() -> None:
    assert view().actor(view().find("/r/bad")).class_name == "Bad"


def test_an_unknown_address_suggests_the_nearest() -> None:
    with pytest.raises(UnknownActor, match=r"no actor /r/mixr .* Did you mean '/r/mixer'\?"):
        view().find("/r/mixr")


def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(UnknownActor, match="no actor 999"):
        view().actor(999)


def test_state_is_decoded_without_the_classes() -> None:
    state = view().state("/r/mixer")
    assert state["weights"] == {"salt": 4, "pepper": 6}
    assert state["seen"] == {"salt", "pepper"}
    assert to_json(state["last"]) == {"$": "lived.poison", "word": "salt"}


def test_an_actor_that_changed_nothing_has_no_fields() -> None:
    assert view().state("/r/bad") == {}


# --- messages, artifacts, records


def test_a_dead_letter_has_its_message() -> None:
    (letter,) = view().dead_letters()
    assert (letter.to, letter.reason, letter.attempts) == ("/r/nobody", "no such actor", 0)
    assert repr(letter.message) == "lived.poison(word='unread')"


def test_a_message_that_no_record_sent_is_damage() -> None:
    with pytest.raises(LedgerDamaged, match=r"record 1 should hold message 1\.0"):
        view().message(MessageId(1, 0))


def test_artifacts_say_whether_their_files_are_in_place() -> None:
    (artifact,) = view().artifacts()
    assert (artifact.path, artifact.size, artifact.released) == ("weights.txt", 11, True)
    assert sorted((lived().blob(artifact.digest) or b"").split()) == [b"pepper", b"salt"]


def test_records_are_read_from_and_to_a_seq() -> None:
    assert [record.seq for record in view().records(3, 5)] == [3, 4, 5]
    assert [record.seq for record in view().records()][-1] == view().head.seq


def test_looking_at_a_ledger_of_another_process_leaves_no_lock(tmp_path: Path) -> None:
    with Run(COUNTER, tmp_path / "run") as run:
        run.wait(60)
    before = sorted(os.listdir(tmp_path / "run"))
    with View(tmp_path / "run") as finished:
        finished.totals()
    assert sorted(os.listdir(tmp_path / "run")) == before
    open_store(tmp_path / "run").close()
