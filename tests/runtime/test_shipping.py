"""A run that is shipped elsewhere, and made again from that."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import LedgerDamaged, LedgerInUse, NotShipped, UsageError
from perdure.ledger.group import Group
from perdure.ledger.segments import MANIFEST, name_of_segment, unpack_manifest
from perdure.ledger.store import open_store
from perdure.ledger.whole import check_ledger
from perdure.runtime import shipping
from perdure.runtime.backup import backup
from perdure.runtime.compact import compact, cut_at_end
from perdure.runtime.remote import Place
from perdure.runtime.shipping import Shipper, follow, only_shipper
from perdure.runtime.unshipping import unship
from perdure.runtime.view import View
from tests.cli.verbs import ROOT, perdure, process, shop, sold_in
from tests.desk import at_desk, going_on
from tests.runtime.test_compact import DIARY, written

KILLS = """
import sys
from pathlib import Path
from perdure.runtime import shipping
from perdure.runtime.remote import Place
from perdure.runtime.unshipping import unship
from perdure.runtime.view import View
from tests.crashes.steps import at_each_step
run, folder = map(Path, sys.argv[1:])
shipping.SEGMENT_RECORDS_MAX = 5

def ship():
    with View(run) as view:
        shipper = shipping.Shipper(view, Place(str(folder / "url")), lambda: 0)
        while shipper.step():
            pass

seqs, seen, manifest = [0], b"", folder / "url" / "manifest.json"
for number in at_each_step(ship):
    if manifest.exists() and manifest.read_bytes() != seen:
        seen = manifest.read_bytes()
        made = unship(str(folder / "url"), folder / str(number))
        seqs.append(made.manifest.records)
seqs.append(unship(str(folder / "url"), folder / "last").manifest.records)
print(seqs[-1], seqs == sorted(seqs), len(set(seqs)), flush=True)
"""


@pytest.fixture
def sold(own_home: Path) -> Path:
    """A finished run with a large message and an artifact."""
    return sold_in(own_home, "bread " * 2_000)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    words, directory = at_desk(tmp_path)
    with going_on(*words, directory=directory) as owner:
        yield owner, directory


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "SEGMENT_RECORDS_MAX", 5)


def ship(run: Path, url: str | Path) -> int:
    """Ship what is new; how many segments that were."""
    with View(run) as view:
        shipper = Shipper(view, Place(str(url)), lambda: 7)
        before = shipper.manifest.segments
        while shipper.step():
            pass
        return shipper.manifest.segments - before


def journal(run: Path) -> list[Any]:
    with View(run) as view:
        return list(view.records())


@pytest.mark.parametrize("url", ["memory://copies/1", "file://{folder}/url", "{folder}/url"])
def test_a_run_is_made_again_as_it_was(sold: Path, tmp_path: Path, url: str) -> None:
    url = url.format(folder=tmp_path)
    assert ship(sold, url) == 3
    made = unship(url, tmp_path / "run")
    assert journal(tmp_path / "run") == journal(sold)
    assert made.manifest.hash == check_ledger(tmp_path / "run").head.hash.hex()
    assert (tmp_path / "run" / "artifacts" / "receipt.txt").read_text() == "1 sold"
    assert "one of the two" not in perdure("resume", tmp_path / "run").stderr  # it is over


def test_what_is_there_is_not_shipped_again(sold: Path, tmp_path: Path) -> None:
    url = tmp_path / "url"
    backup(sold, tmp_path / "longer")
    assert ship(sold, url) == 3
    before = {path.name: path.read_bytes() for path in url.glob("segment-*")}
    assert ship(sold, url) == 0
    store = open_store(sold)
    head = store.head()
    last = store.record(head.seq)
    assert last is not None
    store.commit(Group(head.seq + 1, [(last.kind, last.payload)] * 2, time_ns=head.time_ns))
    store.close()
    assert ship(sold, url) == 1
    assert {name: (url / name).read_bytes() for name in before} == before
    manifest = unpack_manifest((url / MANIFEST).read_bytes())
    assert (manifest.segments, manifest.records) == (4, head.seq + 2)


def test_a_kill_at_any_step_of_the_shipper_leaves_a_copy_that_is_whole(
    sold: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(sold), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    last, in_order, different = done.stdout.split()
    assert (in_order, int(different)) == ("True", 4), done.stderr  # none, and three segments
    assert int(last) == len(journal(sold))
    unship(str(tmp_path / "url"), tmp_path / "run")
    assert journal(tmp_path / "run") == journal(sold)


def flip(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a byte": lambda file: file.write_bytes(flip(file.read_bytes())),
    "its end": lambda file: file.write_bytes(file.read_bytes()[:-20]),
    "all of it": lambda file: file.write_bytes(b""),
    "another in its place": lambda file: shutil.copy(file.with_name(name_of_segment(1)), file),
}


@pytest.mark.parametrize("file", [name_of_segment(2), name_of_segment(3), MANIFEST])
@pytest.mark.parametrize("what", DAMAGE)
def test_damage_of_a_copy_is_named(sold: Path, tmp_path: Path, file: str, what: str) -> None:
    url = tmp_path / "url"
    ship(sold, url)
    DAMAGE[what](url / file)
    with pytest.raises(LedgerDamaged, match=f"{file} of the copy is damaged") as caught:
        unship(str(url), tmp_path / "run")
    assert caught.value.exit_code == 3
    assert not [path for path in tmp_path.iterdir() if "run" in path.name]


def test_a_missing_segment_is_named_with_the_record_from_which_on_all_is_lost(
    sold: Path, tmp_path: Path
) -> None:
    ship(sold, tmp_path / "url")
    (tmp_path / "url" / name_of_segment(2)).unlink()
    with pytest.raises(LedgerDamaged, match=r"missing.*from record 6 on") as caught:
        unship(str(tmp_path / "url"), tmp_path / "run")
    assert caught.value.seq == 6


def test_a_manifest_of_another_time_is_found_out(sold: Path, tmp_path: Path) -> None:
    url = tmp_path / "url"
    with View(sold) as view:
        shipper = Shipper(view, Place(str(url)), lambda: 7)
        shipper.step()
        early = (url / MANIFEST).read_bytes()
        shipper.step()
    assert unship(str(url), tmp_path / "run").manifest.records == 10
    (url / MANIFEST).write_bytes(early)  # what a killed shipper leaves: one segment too many
    assert unship(str(url), tmp_path / "early").manifest.records == 5


def test_a_url_is_of_one_run(sold: Path, tmp_path: Path) -> None:
    ship(sold, tmp_path / "url")
    assert perdure("run", shop(tmp_path / "shop"), "--seed", "1").exit_code == 0
    with pytest.raises(UsageError, match="has a copy of another run"):
        ship(sold.with_name("shop-2"), tmp_path / "url")


def test_a_copy_that_went_another_way_is_not_gone_on_with(live: Any, tmp_path: Path) -> None:
    owner, directory = live
    backup(directory, tmp_path / "copy")
    owner.kill()
    owner.wait()
    assert perdure("resume", directory, "--no-wait").exit_code == 4
    ship(directory, tmp_path / "url")
    with pytest.raises(UsageError, match="Two copies of the run have gone on"):
        ship(tmp_path / "copy", tmp_path / "url")


# --- runs that were compacted


def diary(tmp_path: Path, *words: str) -> Path:
    """A run with a mark and so many words, on disk."""
    return written(tmp_path / "diary", "one", "mark begun", *words, "x" * 10_000)


def compacted(run: Path, until: int | None = None) -> int:
    with View(run) as view:
        at = cut_at_end(view) if until is None else until
    return compact(run, at).at


def assert_same(run: Path, other: Path) -> None:
    """Two ledgers have the same journal after the cut, and the same in their tables."""
    one, two = View(run), View(other)
    cut = one.head.cut
    assert list(one.records(cut + 1)) == list(two.records(cut + 1))
    assert one.state("/r/diary") == two.state("/r/diary")
    assert (one.run, two.head.cut, one.head.seq) == (two.run, cut, two.head.seq)
    one.close()
    two.close()
    assert check_ledger(other).wrong == []


def test_a_run_that_was_compacted_before_it_was_shipped(tmp_path: Path) -> None:
    run = diary(tmp_path, "two", "three")
    compacted(run)
    assert ship(run, tmp_path / "url") == 2
    unship(str(tmp_path / "url"), tmp_path / "made")
    assert_same(run, tmp_path / "made")
    written(run, "four", "five", resume=DIARY)
    assert ship(run, tmp_path / "url") > 0
    unship(str(tmp_path / "url"), tmp_path / "again")
    assert_same(run, tmp_path / "again")
    written(tmp_path / "again", "six", resume=DIARY)
    assert check_ledger(tmp_path / "again").wrong == []


def test_a_run_that_is_compacted_while_it_is_shipped(tmp_path: Path) -> None:
    run, url = diary(tmp_path, "two", "three"), tmp_path / "url"
    ship(run, url)
    compacted(run)
    assert ship(run, url) == 1  # the word of the compaction: all else is there
    assert unpack_manifest((url / MANIFEST).read_bytes()).start == 1
    unship(str(url), tmp_path / "made")
    assert_same(run, tmp_path / "made")
    written(run, "four", resume=DIARY)
    compacted(run)  # takes away what was not shipped
    ship(run, url)
    start = unpack_manifest((url / MANIFEST).read_bytes()).start
    assert start > 1
    for number in range(1, start):
        (url / name_of_segment(number)).unlink()
    unship(str(url), tmp_path / "again")
    assert_same(run, tmp_path / "again")


def test_a_kill_between_a_beginning_and_what_vouches_for_it_leaves_the_copy_as_it_was(
    tmp_path: Path,
) -> None:
    run, url = diary(tmp_path, "two", "three"), tmp_path / "url"
    ship(run, url)
    written(run, "four", resume=DIARY)
    compacted(run)
    with View(run) as view:
        place = Place(str(url))
        shipper = Shipper(view, place, lambda: 7)
        before, write = shipper.manifest, place.write

        def once(name: str, data: bytes) -> None:
            write(name, data)
            raise NotShipped("killed")

        place.write = once  # type: ignore[method-assign]
        with pytest.raises(NotShipped):
            shipper.step()
    assert unship(str(url), tmp_path / "made").manifest == before
    assert ship(run, url) >= 2
    unship(str(url), tmp_path / "again")
    assert_same(run, tmp_path / "again")


def test_one_process_ships_a_run_to_a_url(sold: Path) -> None:
    again = only_shipper(sold, "memory://one")
    refused = pytest.raises(LedgerInUse, match="ships this run to memory://one already")
    with only_shipper(sold, "memory://one"), only_shipper(sold, "memory://two"), refused:
        again.__enter__()


# --- while the run goes on


def test_a_run_is_followed_to_its_end_and_a_place_that_fails_is_tried_again(
    live: Any, tmp_path: Path
) -> None:
    _, directory = live
    place = Place("memory://followed")
    failures: list[NotShipped] = []
    seqs: list[int] = []
    write = place.write

    def fail(name: str, data: bytes) -> None:
        place.write = write  # type: ignore[method-assign]
        raise NotShipped("no answer")

    def pause() -> bool:
        match len(seqs):
            case 0:
                assert len(failures) == 1
                seqs.append(0)
            case _:
                seqs.append(shipper.manifest.records)
                add = '{"$": "Add", "number": 1}'
                process("tell", directory, "/desk/counter", add, "--ask").communicate()
        return len(seqs) == 3

    with View(directory) as view:
        shipper = Shipper(view, place, lambda: 7)
        place.write = fail  # type: ignore[method-assign]
        follow(shipper, pause, lambda segment: None, failures.append)
    assert seqs == sorted(set(seqs))
    assert unship("memory://followed", tmp_path / "made").manifest.records == seqs[-1]


@pytest.mark.parametrize("failing", range(1, 7))
def test_a_write_that_fails_is_made_up_for_with_all_that_was_in_it(
    sold: Path, tmp_path: Path, failing: int
) -> None:
    place = Place(f"memory://failing/{failing}")
    write, writes = place.write, 0

    def fail(name: str, data: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes == failing:
            raise NotShipped("no answer")
        write(name, data)

    failures: list[NotShipped] = []
    with View(sold) as view:
        shipper = Shipper(view, place, lambda: 7)
        place.write = fail  # type: ignore[method-assign]
        follow(shipper, lambda: False, lambda segment: None, failures.append)
    assert len(failures) == 1
    unship(place.url, tmp_path / "run")
    assert journal(tmp_path / "run") == journal(sold)


def test_a_run_that_is_over_is_followed_no_more(sold: Path) -> None:
    def pause() -> bool:
        raise AssertionError("there is nothing to wait for")

    with View(sold) as view:
        shipper = Shipper(view, Place("memory://over"), lambda: 7)
        follow(shipper, pause, lambda segment: None, lambda error: None)
        assert shipper.manifest.records == view.head.seq


def test_a_lost_machine_is_gone_on_without(live: Any, tmp_path: Path) -> None:
    owner, directory = live
    add = '{"$": "Add", "number": %d}'
    assert perdure("tell", directory, "/desk/counter", add % 3, "--ask").exit_code == 0
    ship(directory, tmp_path / "url")
    assert perdure("tell", directory, "/desk/counter", add % 4, "--ask").exit_code == 0
    owner.kill()
    owner.wait()
    shutil.rmtree(directory)
    shutil.rmtree(tmp_path / "desk")  # its scenario too
    made = unship(str(tmp_path / "url"), tmp_path / "run")
    assert made.kept
    with View(tmp_path / "run") as view:
        assert view.state("/desk/counter") == {"numbers": [3]}
        assert view.head.seq == made.manifest.records
    resumed = perdure("resume", tmp_path / "run", "--no-wait")
    assert resumed.exit_code == 4, resumed.stderr
    assert resumed.stderr == ""
    assert check_ledger(tmp_path / "run").wrong == []


# --- places


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nope://bucket/run", "Protocol not known: nope"),
        ("s3://bucket/run", "cannot be used: Install s3fs"),
        ("", "the URL is empty"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Place(url)


def test_without_fsspec_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match=r"pip install 'perdure\[ship\]'"):
        Place("memory://x")


def test_a_place_that_cannot_be_written_is_named(sold: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotShipped, match="cannot be written"):
        ship(sold, tmp_path / "file" / "below")
