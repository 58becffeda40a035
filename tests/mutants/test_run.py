"""The judge of mutants is just: tried on a project of two lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import run

SOURCE = "def double(n):\n    return n + n\n"
TESTS = """\
import bell

def test_double():
    assert bell.double(3) == 6

def test_blind():
    assert bell.double

def test_red_anyway():
    assert False
"""
PATCH = """\
Doubling forgets one of the two.
{header}
--- a/bell.py
+++ b/bell.py
@@ -1,2 +1,2 @@
 def double(n):
-    return {old}
+    return {new}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # half of what a run of pytest costs
    root = tmp_path / "project"
    (root / "tests" / "mutants").mkdir(parents=True)
    (root / "bell.py").write_text(SOURCE)
    (root / "tests" / "test_bell.py").write_text(TESTS)
    return root


def mutant(project: Path, test: str, *, old: str = "n + n", new: str = "n") -> Path:
    header = f"# test: tests/test_bell.py::{test}" if test else "# no test is named"
    path = project / "tests" / "mutants" / "forgets.patch"
    path.write_text(PATCH.format(header=header, old=old, new=new))
    return path


@pytest.mark.parametrize(
    ("test", "change", "verdict"),
    [
        ("test_double", {}, run.KILLED),
        ("test_blind", {}, run.SURVIVED),
        ("test_red_anyway", {}, run.RED_WITHOUT),
        ("test_of_another_project", {}, run.RED_WITHOUT),
        ("test_double", {"old": "n * 2"}, run.DOES_NOT_APPLY),
        ("test_double", {"new": "n +"}, run.NO_VERDICT),
        ("", {}, run.NO_HEADER),
    ],
)
def test_a_mutant_gets_its_verdict(
    project: Path, tmp_path: Path, test: str, change: dict[str, str], verdict: str
) -> None:
    patch = mutant(project, test, **change)
    assert run.Bench(project, tmp_path / "scratch").judge(patch).verdict == verdict


def test_the_tree_itself_is_left_as_it_was(project: Path, tmp_path: Path) -> None:
    run.Bench(project, tmp_path / "scratch").judge(mutant(project, "test_double"))
    assert (project / "bell.py").read_text() == SOURCE


@pytest.mark.parametrize(("test", "code"), [("test_double", 0), ("test_blind", 1)])
def test_the_exit_code_says_whether_all_were_killed(project: Path, test: str, code: int) -> None:
    mutant(project, test)
    said: list[str] = []
    assert run.main([], project, said.append) == code
    assert said[-1].strip() == f"{1 - code} of 1 mutants killed"


def test_no_mutants_is_no_proof(project: Path) -> None:
    said: list[str] = []
    assert run.main(["forgets"], project, said.append) == 1
    assert "nothing was proved" in said[0]
