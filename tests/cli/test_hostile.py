"""What the command line says to nonsense: one sentence, exit 2, a way out, and nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.ledger.store import open_store
from tests.cli.verbs import answer, perdure, shop

HUGE = "9" * 5_000
LARGE = str(1 << 70)


@pytest.fixture
def sold(tmp_path: Path, own_home: Path) -> Path:
    """A run that is over; its name is shop-1."""
    assert perdure("run", shop(tmp_path / "shop"), "--seed", "7").exit_code == 0
    return own_home / "shop-1"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A ledger of a process that died before anything was durable."""
    open_store(tmp_path / "empty", create=True).close()
    return tmp_path / "empty"


VERBS = [
    ("resume", "{run}"),
    ("show", "{run}"),
    ("trace", "{run}"),
    ("why", "{run}", "1"),
    ("state", "{run}", "/shop/till"),
    ("diff", "{run}", "1", "2"),
    ("stats", "{run}"),
    ("replay", "{run}"),
    ("fork", "{run}", "--at", "1", "--to", "{run}-fork"),
    ("restore", "{run}", "/shop/till", "good"),
    ("cancel", "{run}", "/shop/till"),
    ("doubt", "{run}", "3", "--did-not-happen"),
    ("clear", "{run}", "/shop/till", "--again"),
    ("dead", "{run}"),
    ("dead", "{run}", "requeue", "4.1"),
    ("backup", "{run}", "{run}.copy"),
    ("ship", "{run}", "/nowhere/copies"),
    ("export", "{run}"),
    ("export", "{run}", "--to", "{run}.lines"),
]


@pytest.mark.parametrize("json", [(), ("--json",)])
@pytest.mark.parametrize(
    "verb", [*VERBS, ("tree", "{run}"), ("verify", "{run}"), ("doctor", "{run}")]
)
def test_what_holds_no_ledger_is_no_run(
    tmp_path: Path, verb: tuple[str, ...], json: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for run, said in (
        ("", "RUN is empty. Write the directory of a run"),
        (tmp_path / "file", "file is a file. RUN is the directory of a run, its name"),
        (tmp_path / "none", "there is no directory"),
        (tmp_path / "folder", "holds no ledger. `perdure runs` lists"),
    ):
        result = perdure(*(part.format(run=run) for part in verb), *json)
        assert (result.exit_code, result.stdout) == (2, ""), result.stderr
        assert said in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("verb", VERBS)
def test_an_empty_ledger_is_refused_and_not_called_damaged(
    empty: Path, verb: tuple[str, ...]
) -> None:
    result = perdure(*(part.format(run=empty) for part in verb))
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr


@pytest.mark.parametrize("seq", [LARGE, HUGE], ids=["70 bits", "5,000 digits"])
@pytest.mark.parametrize(
    "verb",
    [
        ("why", "last", "{seq}"),
        ("state", "last", "/shop/till", "--at", "{seq}"),
        ("diff", "last", "1", "{seq}"),
        ("diff", "last", "{seq}"),
        ("replay", "last", "--until", "{seq}"),
        ("fork", "last", "--at", "{seq}", "--to", "fork"),
        ("doubt", "last", "{seq}", "--did-not-happen"),
        ("dead", "last", "requeue", "{seq}.0"),
        ("dead", "last", "requeue", "1.{seq}"),
        ("run", "{shop}", "--seed", "{seq}"),
        ("restore", "last", "/shop/till", "{seq}"),
    ],
)
def test_a_number_without_end_is_refused_as_any_other(
    sold: Path, tmp_path: Path, verb: tuple[str, ...], seq: str
) -> None:
    result = perdure(*(part.format(seq=seq, shop=tmp_path / "shop") for part in verb))
    assert result.exit_code == 2
    assert "bug" not in result.stderr


@pytest.mark.parametrize("address", ["", "/", "/shop/", "shop/till", "/shop/till\n", "/shop/x"])
@pytest.mark.parametrize(
    "verb",
    [
        ("state", "last", "{address}"),
        ("trace", "last", "--actor", "{address}"),
        ("diff", "last", "1", "--actor", "{address}"),
        ("restore", "last", "{address}", "good"),
        ("cancel", "last", "{address}"),
        ("clear", "last", "{address}", "--again"),
    ],
)
def test_an_address_that_nobody_has_is_refused_and_nothing_is_recorded(
    sold: Path, verb: tuple[str, ...], address: str
) -> None:
    before = answer("show", "last")["records"]
    result = perdure(*(part.format(address=address) for part in verb))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no actor" in result.stderr
    assert "`perdure tree RUN` lists them" in result.stderr
    assert answer("show", "last")["records"] == before


def test_a_refused_cancel_of_a_run_that_is_over_records_nothing(sold: Path) -> None:
    before = answer("show", "last")["records"]
    result = perdure("cancel", "last", "/shop/till")
    assert result.exit_code == 2
    assert "the run is over, it is finished" in result.stderr
    assert "`perdure fork RUN --at SEQ --to DIR`" in result.stderr
    assert answer("show", "last")["records"] == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "{shop}", "--ledger", ""), "--ledger is empty"),
        (("run", "{shop}", "--crash-at", "0"), "0 is not in the range"),
        (("resume", "last", "--crash-before", "-1"), "-1 is not in the range"),
        (("new", ""), "DIR is empty"),
        (("diff", "last", "1", "2", "--with", ""), "RUN is empty"),
        (("fork", "last", "--at", "1", "--to", ""), "exists already"),
    ],
)
def test_nothing_is_no_name_and_no_number(
    sold: Path, tmp_path: Path, args: tuple[str, ...], said: str
) -> None:
    result = perdure(*(part.format(shop=tmp_path / "shop") for part in args))
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize("how", [(), ("--causal",)])
def test_a_trace_of_records_that_there_are_not_says_which_there_are(
    sold: Path, how: tuple[str, ...]
) -> None:
    result = perdure("trace", "last", "--first", "9999", *how)
    assert result.exit_code == 0
    assert f"the journal has records 1 to {answer('show', 'last')['records']}." in result.stderr
