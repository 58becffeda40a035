"""A scenario file with a bit of everything, for the tests that read scenarios and break them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import ScenarioError
from perdure.runtime.scenario import Scenario, load_scenario

TEXT = """\
format = 1
name = "survey"
goal = "Count lines."
code = "actors.py"
dead_letters_to = "/survey/editor"

[settings]
folder = "sample"
readers = 2
faults = 0.0
loud = false

[budget]
tokens = 5_000

[scheduler]
policy = "cmu"
concurrency = 3

[tree]
id = "survey"
strategy = "rest_for_one"
intensity = 3
period = 5.0

[[tree.children]]
id = "catalogue"
actor = "Catalogue"
init = { folder = "${folder}", readers = "${readers}", path = ["in ${folder}", "$${folder}"] }

[[tree.children]]
id = "readers"
strategy = "one_for_one"
intensity = "${readers}"

[[tree.children.children]]
id = "${i}"
count = "${readers}"
actor = "Reader"
init = { number = "${i}", loud = "${loud}" }
backoff = { first = 0.01, factor = 2.0, max = 1.0 }

[[tree.children]]
id = "editor"
actor = "Editor"
restart = "transient"
shutdown = "brutal_kill"

[[tell]]
to = "/survey/catalogue"
message = { "$" = "Scan", depth = 2 }
"""


def changed(old: str, new: str) -> Scenario:
    """The scenario in the working directory, one piece of its text replaced."""
    assert old in TEXT
    Path("scenario.toml").write_text(TEXT.replace(old, new, 1))
    return load_scenario(".")


def refusal(old: str, new: str) -> tuple[str, str]:
    """What the error says, and what is written at the line and column that it names."""
    with pytest.raises(ScenarioError) as caught:
        changed(old, new)
    found = re.fullmatch(r"scenario\.toml:(\d+):(\d+): (.*)", str(caught.value))
    assert found, caught.value
    lines = Path("scenario.toml").read_text().split("\n")
    return found[3], lines[int(found[1]) - 1][int(found[2]) - 1 :]


def children(scenario: Scenario) -> dict[str, Any]:
    assert scenario.tree.supervisor is not None
    return {child.id: child for child in scenario.tree.supervisor.children}
