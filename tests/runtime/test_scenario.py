"""Scenario files: what they become, and the one sentence for each way they can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure import limits
from perdure.errors import ScenarioError
from perdure.ledger.levels import EACH, GROUP
from perdure.runtime.housekeeping import Retention
from perdure.runtime.scenario import Tell, load_scenario
from tests.runtime.survey import TEXT, changed, children, refusal


def test_a_scenario_is_what_its_file_says(folder: Path) -> None:
    scenario = load_scenario(folder)
    assert (scenario.name, scenario.goal, scenario.format) == ("survey", "Count lines.", 1)
    assert (scenario.tokens, scenario.policy, scenario.concurrency) == (5_000, "cmu", 3)
    assert scenario.dead_letters_to == "/survey/editor"
    assert (scenario.directory, scenario.code) == (folder, folder / "actors.py")
    assert (scenario.path, scenario.source) == (folder / "scenario.toml", TEXT)
    assert scenario.tells == (
        Tell(to="/survey/catalogue", message={"$": "Scan", "depth": 2}, line=49),
    )


def test_what_is_left_out_has_its_default(folder: Path) -> None:
    (folder / "scenario.toml").write_text(
        'name = "bare"\n[tree]\nid = "bare"\nstrategy = "one_for_one"\n'
    )
    scenario = load_scenario(folder)
    assert (scenario.format, scenario.goal, scenario.code) == (1, "", None)
    assert (scenario.dead_letters_to, scenario.settings, scenario.tells) == (None, {}, ())
    assert scenario.tokens == limits.TOKENS_DEFAULT
    assert scenario.concurrency == limits.CONCURRENCY_DEFAULT
    assert scenario.durability is GROUP
    assert children(scenario) == {}


def test_a_durability_level_is_named_at_the_top(folder: Path) -> None:
    assert changed("format = 1", 'durability = "each"').durability is EACH


def test_a_budget_is_unlimited_only_where_it_is_written_so(folder: Path) -> None:
    assert changed("tokens = 5_000", 'tokens = "unlimited"').tokens is None
    assert changed("tokens = 5_000", "").tokens == limits.TOKENS_DEFAULT
    assert changed("tokens = 5_000", "tokens = 0").tokens == 0


def test_set_changes_settings_each_read_as_the_type_of_its_default(folder: Path) -> None:
    scenario = load_scenario(folder, ["readers=3", "folder=a=b", "faults=1", "loud=true"])
    assert scenario.settings == {"folder": "a=b", "readers": 3, "faults": 1.0, "loud": True}
    assert type(scenario.settings["faults"]) is float
    assert len(children(scenario)["readers"].supervisor.children) == 3
    assert children(scenario)["readers"].supervisor.children[2].init["loud"] is True


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("reader=3", "there is no setting 'reader'. Did you mean 'readers'? The settings are: "),
        ("x=3", "The settings are: folder = sample, readers = 2, faults = 0.0, loud = false."),
        ("readers=many", "readers=many: readers must be an integer of at most 64 bits, like 2."),
        (f"readers={2**63}", "readers must be an integer of at most 64 bits, like 2."),
        (
            "readers=2.5",
            "--set readers=2.5: readers must be an integer of at most 64 bits, like 2.",
        ),
        ("loud=yes", "--set loud=yes: loud must be true or false, like false."),
        ("faults=", "--set faults=: faults must be a number, like 0.0."),
        ("readers", "--set 'readers' has no '='. Write --set name=value."),
        ("readers=0", ": count is 0 and must be from 1 to 1,000,000."),
    ],
)
def test_a_set_that_cannot_be_is_refused(folder: Path, override: str, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(".", [override])
    assert says in str(caught.value)


def test_a_scenario_without_settings_says_so(folder: Path) -> None:
    (folder / "scenario.toml").write_text(
        'name = "bare"\n[tree]\nid = "bare"\nstrategy = "one_for_one"\n'
    )
    with pytest.raises(ScenarioError, match=r"This scenario has no \[settings\]\."):
        load_scenario(folder, ["x=1"])


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ("period = 5.0", "period = ]", "]", "this is not TOML: Invalid value."),
        ("depth = 2 }\n", "depth = 2", "", "this is not TOML: Unclosed inline table."),
        ("goal = ", "name =", "", "this is not TOML: Cannot overwrite a value."),
        ("intensity", "intensty", "intensty = 3", "'intensty' is no key of a supervisor. Did you "),
        ("backoff", "intensity", "intensity = {", "'intensity' is no key of an actor."),
        ("first", "fist", "fist = 0.01", "'fist' is no key of backoff. Did you mean 'first'? Key"),
        ("[scheduler]", "[sheduler]", "sheduler]", "'sheduler' is no key of a scenario. Did you m"),
        ("tokens", "token", "token = ", "'token' is no key of a budget. Did you mean 'tokens'? Ke"),
        ("\nto =", "\ntwo =", "two = ", "'two' is no key of a tell. Did you mean 'to'? Keys it ma"),
        ('"cmu"', '"fifo"', "policy", "there is no policy 'fifo': only 'cmu' is available now."),
        ("cy = 3", "cy = 0", "concurrency", "concurrency is 0 and must be at least 1: it is the t"),
        ("cy = 3", "cy = true", "concurrency", "concurrency is true and must be an integer."),
        (
            "format = 1",
            'durability = "often"',
            "durability",
            "there is no durability 'often'. Give one of group, each, relaxed.",
        ),
        ("5_000", "-1", "tokens", 'tokens is -1 and must be an integer from 0, or "unlimited".'),
        ("5_000", '"all"', "tokens", "tokens is 'all' and must be an integer from 0, or \"unlim"),
        ("format = 1", "format = 2\nnew = 1", "format", "format 2 is newer than 1, the newest th"),
        ("format = 1", "format = 0", "format", "there is no format 0; write format = 1."),
        ('name = "survey"', "", "format", "a scenario needs the key 'name', and has none."),
        ('"survey"', '"a/b"', "name", "'a/b' cannot name an actor: "),
        ('"survey"', "1", "name", "name is the number 1 and must be a string."),
        ("actors.py", "actor.py", "code", "there is no file actor.py. Did you mean 'actors.py'?"),
        ("readers = 2", "readers = []", "readers", "readers is an array and must be a string or"),
        ("loud = false", "i = 1", "i = 1", "'i' cannot be a setting: ${i} is the number of a chi"),
        ("loud = false", '"a-b" = 1', '"a-b"', "'a-b' cannot be a setting: ${name} takes letter"),
        ("[settings]", "[[settings]]", "settings]]", "settings is an array and must be a table."),
        (
            "[[tell]]",
            "[tell]",
            "tell]",
            "tell is a table and must be an array of tables: [[tell]].",
        ),
    ],
)
def test_a_wrong_file_is_refused_at_line_and_column(
    folder: Path, old: str, new: str, at: str, says: str
) -> None:
    text, written = refusal(old, new)
    assert text.startswith(says)
    assert written.startswith(at) if at else written == ""


def test_the_keys_that_are_right_are_listed(folder: Path) -> None:
    text, _ = refusal("[scheduler]", "[sheduler]")
    assert text == (
        "'sheduler' is no key of a scenario. Did you mean 'scheduler'? Keys it may have: format, "
        "name, goal, code, dead_letters_to, durability, settings, budget, scheduler, retention, "
        "tree, tell."
    )


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        (
            "/survey/catalogue",
            "/survey/catalog",
            "to =",
            "there is no actor /survey/catalog in the",
        ),
        (
            "/survey/catalogue",
            "/survey/readers",
            "to =",
            "/survey/readers is a supervisor, which t",
        ),
        (
            "/survey/editor",
            "/survey/editr",
            "dead_letters_to",
            "there is no actor /survey/editr in",
        ),
        ('to = "/survey/catalogue"', "", "tell]]", "a tell needs the key 'to', and has none."),
        ("message = {", "#", "tell]]", "a tell needs the key 'message', and has none."),
        ('"$" = "Scan"', 'scan = "x"', "message", "message does not name its class: write message"),
        (
            "depth = 2",
            'depth = "${readers}"',
            "depth",
            "settings reach actors through init only. F",
        ),
    ],
)
def test_a_wrong_recipient_or_first_message_is_refused(
    folder: Path, old: str, new: str, at: str, says: str
) -> None:
    text, written = refusal(old, new)
    assert text.startswith(says)
    assert written.startswith(at)


def test_an_address_that_is_not_there_is_answered_with_those_that_are(folder: Path) -> None:
    assert refusal("/survey/catalogue", "/survey/catalog")[0] == (
        "there is no actor /survey/catalog in the tree. Did you mean '/survey/catalogue'? "
        "Actors there: /survey/catalogue, /survey/readers/1, /survey/readers/2, /survey/editor."
    )
    assert refusal("/survey/catalogue", "/survey/readers")[0] == (
        "/survey/readers is a supervisor, which takes no first messages. "
        "One of its actors is /survey/readers/1."
    )


def test_an_error_found_later_names_file_and_line(folder: Path) -> None:
    scenario = load_scenario(".")
    error = scenario.error(scenario.tells[0].line, "no such message.")
    assert str(error) == "scenario.toml:49: no such message."


def test_bytes_that_are_not_utf8_are_named_with_their_place(folder: Path) -> None:
    (folder / "scenario.toml").write_bytes(b'\xef\xbb\xbfformat = 1\nname = "caf\xe9"\n')
    with pytest.raises(ScenarioError, match=r"^scenario.toml:2:12: byte 0xe9 is not UTF-8"):
        load_scenario(folder)


def test_nesting_without_end_is_one_sentence(folder: Path) -> None:
    (folder / "scenario.toml").write_text("a = " + "[" * 5_000)
    with pytest.raises(ScenarioError, match="nested too deeply"):
        load_scenario(folder)


def test_a_folder_without_a_scenario_names_those_nearby(folder: Path) -> None:
    for name in ("scenarios/counter", "scenarios/library_survey", ".hidden/old"):
        (folder / name).mkdir(parents=True)
        (folder / name / "scenario.toml").touch()
    (folder / "scenario.toml").unlink()
    nearby = "Scenarios nearby: scenarios/counter, scenarios/library_survey."
    with pytest.raises(ScenarioError) as caught:
        load_scenario(".")
    assert str(caught.value) == f". has no scenario.toml. {nearby}"
    with pytest.raises(ScenarioError) as caught:
        load_scenario("scenarios/libary_survey")
    assert str(caught.value) == (
        f"scenarios/libary_survey does not exist. Did you mean 'library_survey'? {nearby}"
    )


def test_where_no_scenario_is_near_the_way_out_is_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"does not exist\. `perdure new DIR` writes"):
        load_scenario(tmp_path / "a" / "b")
    with pytest.raises(ScenarioError, match=r"does not exist\. `perdure new DIR` writes"):
        load_scenario(tmp_path / ("a" * 300))


def test_a_file_that_cannot_be_read_says_why(folder: Path) -> None:
    (folder / "scenario.toml").unlink()
    (folder / "scenario.toml").mkdir()
    with pytest.raises(ScenarioError, match=r"^scenario.toml cannot be read: Is a directory\.$"):
        load_scenario(folder)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("turns = 100_000", Retention(turns=100_000)),
        ('age = "7d"', Retention(age_seconds=7 * 86_400)),
    ],
)
def test_a_run_may_keep_its_last_turns_or_what_is_younger_than_an_age(
    folder: Path, text: str, kept: Retention
) -> None:
    file = folder / "scenario.toml"
    file.write_text(TEXT.replace("[scheduler]", f"[retention]\n{text}\n\n[scheduler]"))
    assert load_scenario(folder).retention == kept


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "give turns = 100_000, or age"),
        ('turns = 5\nage = "7d"', "give turns = 100_000, or age"),
        ("turns = 0", "turns is 0 and must be at least 1."),
        ('age = "a week"', "'a week' is no age."),
        ("days = 7", "'days' is no key of a retention."),
    ],
)
def test_a_wrong_retention_is_refused(folder: Path, text: str, says: str) -> None:
    text, _ = refusal("[scheduler]", f"[retention]\n{text}\n\n[scheduler]")
    assert text.startswith(says)
