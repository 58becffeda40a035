"""`perdure export`: a journal that can be audited elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest

from perdure.ledger.group import link
from perdure.runtime.compact import compact
from perdure.runtime.view import View
from tests.cli.verbs import ROOT, answer, lines, perdure, process, sold_in

LONG = "bread " * 2_000


@pytest.fixture
def sold(own_home: Path) -> Path:
    """A finished run with a large message and an artifact."""
    return sold_in(own_home, LONG)


def exported(*options: str | Path) -> list[dict[str, Any]]:
    result = perdure("export", "last", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_an_export_has_each_record_as_a_line_and_all_that_it_says(sold: Path) -> None:
    found = exported("--raw")
    with View(sold) as view:
        records = list(view.records())
        for form, record, raw in zip(found, records, view.store.records(), strict=True):
            assert (form["format"], form["seq"], form["hash"]) == (1, record.seq, record.hash.hex())
            assert form["time_ns"] == record.body.time
            assert base64.b64decode(form["raw"]["payload"]) == raw.payload
            given = {name for name, value in record.body._asdict().items() if value}
            assert given - {"time"} <= set(form)
    (turn,) = [form for form in found if form["kind"] == "turn" and form.get("artifacts")]
    with View(sold) as view:
        assert view.actor(turn["actor_id"]).address == turn["actor"] == "/shop/till"


def test_the_hash_chain_can_be_checked_with_the_raw_bytes(sold: Path) -> None:
    previous = bytes(16)
    for form in exported("--raw"):
        raw = form["raw"]
        payload = base64.b64decode(raw["payload"])
        previous = link(previous, form["seq"], raw["kind"], payload, raw["format"])
        assert previous.hex() == form["hash"]
        assert msgpack.unpackb(payload)[0] == form["time_ns"]


def test_large_values_are_named_or_written_out(sold: Path) -> None:
    def sale(found: list[dict[str, Any]]) -> Any:
        (post,) = [each for each in found if each.get("origin") == "scenario"]
        return post["sends"][0]["message"]

    def artifact(found: list[dict[str, Any]]) -> Any:
        return next(each["artifacts"][0] for each in found if "artifacts" in each)

    named, written = exported(), exported("--blobs")
    assert sale(written) == {"$": "Sale", "what": LONG}
    assert sale(named).keys() == {"$blob", "bytes"}
    with View(sold) as view:
        data = view.store.blob(bytes.fromhex(sale(named)["$blob"]))
    assert data is not None
    assert len(data) == sale(named)["bytes"]
    assert "data" not in artifact(named)
    bytes_ = base64.b64decode(artifact(written)["data"])
    assert bytes_ == b"1 sold"
    assert hashlib.blake2b(bytes_, digest_size=32).hexdigest() == artifact(named)["digest"]


def test_only_what_is_asked_for_is_exported(sold: Path) -> None:
    everything = exported()
    assert exported("--after", "4") == everything[4:]
    till = exported("--actor", "/shop/till")
    assert 0 < len(till) < len(everything)
    last = lines("export", "last", "--after", "99999999999")
    (head,) = [answer("show", "last")["records"]]
    assert last == [
        {
            "format": 1,
            "run": "shop-1",
            "last": head,
            "hash": everything[-1]["hash"],
            "cut": 0,
            "records": 0,
        }
    ]
    assert "no such records" in perdure("export", "last", "--after", "99").stderr


def test_a_file_is_written_whole_and_nothing_is_overwritten(sold: Path, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    form = answer("export", "last", "--to", file)
    assert (form["file"], form["records"]) == (str(file), form["last"])
    assert [json.loads(line) for line in file.read_text().splitlines()] == exported()
    for to, said in (
        (file, "exists already"),
        (tmp_path, "exists already"),
        (tmp_path / "none" / "file", "there is no directory"),
        (file / "below", "there is no directory"),
        ("/proc/file", "/proc cannot be written to"),
    ):
        result = perdure("export", "last", "--to", to)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "perdure-home", "records.jsonl",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--after", "-1"), "not in the range"),
        (("--after", "x"), "not a valid integer"),
        (("--actor", "/shop/tell"), "Did you mean '/shop/till'?"),
    ],
)
def test_wrong_options_are_refused(sold: Path, options: tuple[str, ...], said: str) -> None:
    result = perdure("export", "last", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_damaged_record_ends_an_export_that_then_has_no_file(sold: Path, tmp_path: Path) -> None:
    data = sold / "ledger" / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"receipt.txt", b"receipt.tex"))
    result = perdure("export", "last", "--to", tmp_path / "file")
    assert result.exit_code == 3
    assert "does not follow record" in result.stderr
    assert not (tmp_path / "file").exists()


def test_who_reads_may_stop(sold: Path) -> None:
    reader = process("export", sold, "--blobs", "--raw")
    assert reader.stdout is not None
    reader.stdout.close()
    assert reader.wait() == 141
    assert reader.stderr is not None
    assert reader.stderr.read() == ""
    reader.stderr.close()


def test_a_full_disk_leaves_no_file(sold: Path, tmp_path: Path) -> None:
    script = (
        "import resource, sys; from perdure.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000)); main()"
    )
    words = ["export", str(sold), "--to", str(tmp_path / "file")]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "cannot be written: File too large. Make room." in done.stderr
    assert not (tmp_path / "file").exists()


def test_of_a_compacted_run_what_is_left_is_exported(sold: Path) -> None:
    everything = exported()
    at = everything[-3]["seq"]
    compact(sold, at)
    result = perdure("export", "last", "--json")
    assert f"of records 1 to {at} only some are left" in result.stderr
    *found, said = [json.loads(line) for line in result.stdout.splitlines()]
    assert (found[0]["seq"], said["cut"]) == (1, at)
    assert [form["seq"] for form in found if form["seq"] > at] == [at + 1, at + 2, at + 3]
    assert [form for form in everything if form in found] == found[:-1]
    assert perdure("export", "last", "--after", at).stderr == ""
