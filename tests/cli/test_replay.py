"""`perdure replay`: exit codes, what it shows of a difference and of a crash, and the walk."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from perdure.cli.main import main
from perdure.cli.scenes import VALUE_CHARS_MAX, from_where_they_part
from tests.cli.verbs import answer, lines, perdure, shop


@pytest.fixture
def sold(tmp_path: Path) -> Path:
    """A run that finished."""
    return sale(tmp_path, "bread")


def sale(tmp_path: Path, what: str) -> Path:
    folder, run = shop(tmp_path / "shop", what), tmp_path / "run"
    perdure("run", folder, "--ledger", run, "--seed", "7")
    return run


def edit(tmp_path: Path, old: str, new: str) -> None:
    code = tmp_path / "shop" / "actors.py"
    text = code.read_text()
    assert old in text
    code.write_text(text.replace(old, new))


def walk(run: Path, keys: str, *more: str | Path) -> Result:
    arguments = ["replay", str(run), "--step", *map(str, more)]
    return CliRunner().invoke(main, arguments, input=keys, catch_exceptions=False)


def test_an_identical_replay_says_so_and_exits_0(sold: Path) -> None:
    result = perdure("replay", sold)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == (
        "replayed  3 turns, 2 decisions of supervisors and 0 crashes, of 2 actors: "
        "every state hash and intent identical"
    )


def test_it_needs_no_scenario_only_its_code(sold: Path, tmp_path: Path) -> None:
    (tmp_path / "shop" / "scenario.toml").unlink()
    assert perdure("replay", sold).exit_code == 0


def test_it_changes_nothing_in_the_run(sold: Path) -> None:
    before = {path: path.read_bytes() for path in sold.rglob("*.mdb") if "lock" not in path.name}
    perdure("replay", sold)
    assert before == {path: path.read_bytes() for path in before}


def test_changed_code_is_said_first_and_the_first_difference_is_shown_with_both_sides(
    sold: Path, tmp_path: Path
) -> None:
    edit(tmp_path, "self.sold.append(message.what)", "self.sold.append(message.what.upper())")
    assert perdure("replay", sold).exit_code == 0  # with the code that ran
    result = perdure("replay", sold, "--code", tmp_path / "shop")
    assert result.exit_code == 1
    shown = result.stdout.splitlines()
    assert shown[1] == "code      is not what this run began with: it may diverge"
    at = next(i for i, line in enumerate(shown) if line.startswith("diverges at record"))
    assert "/shop/till on message" in shown[at]
    assert "Sale('bread')" in shown[at]
    assert "actors.py:" in shown[at + 2]
    assert [line.split() for line in shown[at + 3 : at + 7]] == [
        ["sold"],
        ["before", "[]"],
        ["recorded", "['bread']"],
        ["replayed", "['BREAD']"],
    ]
    assert "identical up to there" in shown[-1]


def test_code_that_changed_between_two_processes_is_named_by_the_record_that_began_the_second(
    tmp_path: Path,
) -> None:
    run = sale(tmp_path, "slowly-never")
    edit(tmp_path, "class Close:", "class Close:  # it is evening")
    told = answer("replay", run, "--code", tmp_path / "shop")
    assert (told["identical"], told["code_changed"]) == (True, True)
    edit(tmp_path, "self.sold.append(message.what)", "pass")
    result = perdure("replay", run, "--code", tmp_path / "shop")
    assert "record 2 began a process with other code than this" in result.stdout


def test_code_at_another_place_is_given_with_an_option(sold: Path, tmp_path: Path) -> None:
    other = shop(tmp_path / "other")
    edit(tmp_path, "self.sold.append(message.what)", "pass")
    assert perdure("replay", sold, "--code", tmp_path / "shop").exit_code == 1
    assert perdure("replay", sold, "--code", other).exit_code == 0
    assert perdure("replay", sold, "--code", other / "actors.py").exit_code == 0
    missing = perdure("replay", sold, "--code", tmp_path / "nowhere.py")
    assert missing.exit_code == 2
    assert "--code FILE" in missing.stderr


def test_a_class_that_is_gone_is_named_and_its_turns_are_counted(
    sold: Path, tmp_path: Path
) -> None:
    edit(tmp_path, "class Till(Actor)", "class Register(Actor)")
    result = perdure("replay", sold, "--code", tmp_path / "shop")
    assert result.exit_code == 1
    assert "3 turns not replayed: there is no actor class 'Till' in the code." in result.stderr
    assert "not all of them could be run" in result.stdout


def test_a_run_that_failed_ends_at_the_crash_with_message_state_and_traceback(
    tmp_path: Path,
) -> None:
    folder = shop(tmp_path / "shop", "stolen")
    text = (folder / "scenario.toml").read_text()
    (folder / "scenario.toml").write_text(text.replace("intensity = 9", "intensity = 0"))
    perdure("run", folder, "--ledger", tmp_path / "run")
    result = perdure("replay", tmp_path / "run")
    assert result.exit_code == 0
    shown = result.stdout
    assert "Sale('stolen')" in shown.partition("crashed at record")[2].splitlines()[0]
    assert "    price = 3\n    sold = []\n" in shown
    assert ", in on_receive\n" in shown
    assert "  ValueError: it is stolen\n" in shown
    assert "1 crash, of 2 actors: every state hash and intent identical" in shown


def test_a_crash_that_the_run_survived_is_not_its_end(tmp_path: Path) -> None:
    shown = perdure("replay", sale(tmp_path, "stolen")).stdout
    assert "crashed at record" not in shown
    assert "2 crashes" in shown


def test_it_stops_at_a_record_that_is_given(sold: Path) -> None:
    told = answer("replay", sold, "--until", "7")
    assert (told["last"], told["turns"], told["identical"]) == (7, 1, True)
    wrong = perdure("replay", sold, "--until", "nowhere")
    assert wrong.exit_code == 2
    assert "there is no mark 'nowhere'" in wrong.stderr


def test_one_actor_alone(sold: Path) -> None:
    told = answer("replay", sold, "--actor", "/shop/till")
    assert (told["turns"], told["decisions"], told["actors"]) == (3, 0, 1)
    assert perdure("replay", sold, "--actor", "/shop/tull").exit_code == 2


def test_json_has_a_line_for_each_turn_and_the_difference(sold: Path, tmp_path: Path) -> None:
    *turns, told = lines("replay", sold)
    assert [turn["kind"] for turn in turns] == ["control", "start", "control", "receive", "receive"]
    assert all(turn["identical"] for turn in turns)
    assert told["format"] == 1
    assert (told["identical"], told["divergence"], told["skipped"]) == (True, None, {})
    edit(tmp_path, "self.sold.append(message.what)", "raise ValueError('edited')")
    *_, told = lines("replay", sold, "--code", tmp_path / "shop")
    found = told["divergence"]
    assert (told["identical"], told["code_changed"], found["actor"]) == (False, True, "/shop/till")
    assert found["value"] == {"$": "Sale", "what": "bread"}
    assert found["differences"][0] == {
        "what": "how the turn ends",
        "recorded": "the turn closed",
        "replayed": "ValueError: edited",
        "before": None,
    }


def test_a_damaged_ledger_exits_3(sold: Path) -> None:
    data = sold / "ledger" / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"bread", b"breed"))
    assert perdure("replay", sold).exit_code == 3


# --- the walk


def test_a_walk_shows_message_state_intents_and_order_of_each_turn(sold: Path) -> None:
    shown = walk(sold, "\n\n\n\n\n").stdout
    sale_ = shown.partition("Sale('bread')")[2].partition("record ")[0]
    assert "turn       receive, incarnation 1, attempt 1" in sale_
    assert "order      cmu: index" in sale_
    assert "state      sold: []" in sale_
    assert "→ ['bread']" in sale_
    assert "replay     the same as recorded" in sale_
    assert "intends    makes receipt.txt, 6 bytes" in shown
    assert "intends    finishes the run with {'sold': 1}" in shown
    assert shown.count("the same as recorded") == 5
    assert "every state hash and intent identical" in shown


def test_a_walk_can_go_on_skip_and_stop(sold: Path) -> None:
    assert walk(sold, "c\n").stdout.count("the same as recorded") == 1
    assert "every state hash" in walk(sold, "c\n").stdout
    skipped = walk(sold, "s 10\nq\n").stdout
    assert skipped.count("the same as recorded") == 2
    assert "Sale('bread')" in skipped
    assert "stopped after record" in skipped
    assert "stopped after record 6" in walk(sold, "").stdout
    assert "is none of" in walk(sold, "what?\nq\n").stderr


def test_a_walk_ends_at_a_difference(sold: Path, tmp_path: Path) -> None:
    edit(tmp_path, "self.sold.append(message.what)", "pass")
    result = walk(sold, "c\n", "--code", tmp_path / "shop")
    assert result.exit_code == 1
    assert "diverges at record" in result.stdout
    assert perdure("replay", sold, "--step", "--json").exit_code == 2


def test_long_values_are_shown_from_where_they_part() -> None:
    alike = "x" * VALUE_CHARS_MAX
    one, other = from_where_they_part(alike + "old", alike + "new")
    assert one.startswith("…xxx")
    assert one.endswith("xold")
    assert other.endswith("xnew")
    assert len(one) < VALUE_CHARS_MAX
    assert from_where_they_part("[1, 2]", "[1, 3]") == ("[1, 2]", "[1, 3]")
