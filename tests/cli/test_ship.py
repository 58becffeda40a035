"""`perdure ship` and `unship`, as people and programs meet them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.ledger.segments import MANIFEST, name_of_segment
from tests.cli.verbs import ROOT, answer, perdure, process, sold_in, waiting_shop
from tests.desk import SECONDS


@pytest.fixture
def sold(own_home: Path) -> Path:
    return sold_in(own_home)


def test_both_verbs_say_what_the_last_record_is(sold: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/url"
    records = answer("show", "last")["records"]
    said = perdure("ship", "last", url)
    assert (said.exit_code, said.stderr) == (0, "")
    assert f"shipped   shop-1 to {url}   up to record {records}, " in said.stdout
    assert f"new       {records} records in 1 segment" in said.stdout
    form = answer("ship", "last", url)
    assert (form["records"], form["new_records"], form["new_segments"]) == (records, 0, 0)
    again = perdure("unship", url, tmp_path / "run")
    assert (again.exit_code, again.stderr) == (0, "")
    assert f"last      record {records}, " in again.stdout
    assert "what came later is lost" in again.stdout
    made = answer("unship", url, tmp_path / "other")
    assert (made["records"], made["hash"], made["artifacts"]) == (records, form["hash"], 1)
    assert perdure("verify", tmp_path / "run").exit_code == 0


def test_a_follower_ends_with_a_signal_and_says_how_far_it_came(
    tmp_path: Path, own_home: Path
) -> None:
    assert perdure("run", waiting_shop(tmp_path / "shop"), "--no-wait").exit_code == 4
    follower = process("ship", own_home / "shop-1", tmp_path / "url", "--follow", "--json")
    assert follower.stderr is not None
    assert "until it is over" in follower.stderr.readline()
    os.kill(follower.pid, signal.SIGTERM)
    out, _ = follower.communicate(timeout=SECONDS)
    assert follower.returncode == 0
    assert '"records": ' in out
    shutil.rmtree(tmp_path / "shop")
    made = perdure("unship", tmp_path / "url", tmp_path / "run")
    assert (made.exit_code, made.stderr) == (0, "")
    assert "scenario  " in made.stdout
    assert ", from the ledger: " in made.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ship", "last", "nope://x"), "Protocol not known: nope"),
        (("ship", "last", ""), "the URL is empty"),
        (("ship", "last", "memory://x", "--every", "0"), "not in the range"),
        (("unship", "memory://nothing", "{to}"), "there is no copy of a run at memory://nothing"),
        (("unship", "nope://x", "{to}"), "Protocol not known: nope"),
    ],
)
def test_wrong_words_are_refused(
    sold: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    for more in ((), ("--json",)):
        result = perdure(*(word.format(to=tmp_path / "to") for word in words), *more)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
    assert not (tmp_path / "to").exists()


def test_what_is_there_is_not_replaced_and_damage_exits_with_3(sold: Path, tmp_path: Path) -> None:
    url = tmp_path / "url"
    assert perdure("ship", "last", url).exit_code == 0
    taken = perdure("unship", url, sold)
    assert taken.exit_code == 2
    assert "exists already" in taken.stderr
    segment = url / name_of_segment(1)
    segment.write_bytes(segment.read_bytes()[:-1])
    damaged = perdure("unship", url, tmp_path / "to")
    assert (damaged.exit_code, damaged.stdout) == (3, "")
    assert f"{segment.name} of the copy is damaged" in damaged.stderr
    (url / MANIFEST).write_text("{}")
    again = perdure("ship", "last", url)
    assert again.exit_code == 3
    assert f"{MANIFEST} of the copy is damaged" in again.stderr


def test_a_full_disk_leaves_no_run(sold: Path, tmp_path: Path) -> None:
    assert perdure("ship", "last", tmp_path / "url").exit_code == 0
    script = (
        "import resource, sys; from perdure.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); main()"
    )
    words = ["unship", str(tmp_path / "url"), str(tmp_path / "to")]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert f"{tmp_path}/to" in done.stderr
    assert "partial" not in done.stderr
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".to", "to"))]
