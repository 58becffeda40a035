"""Pykka's suite is adapted as meant; `make pykka-suite` runs it."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.pykka_suite import EXCEPTIONS, hosted_conftest, known_exceptions, unpack_tests

UPSTREAM = """\
import pytest

RUNTIMES = {
    "threading": ThreadingActor,
}


@pytest.fixture(params=RUNTIMES.values())
def runtime(request): ...
"""


def test_the_threading_runtime_is_replaced_and_the_rest_is_kept() -> None:
    adapted = hosted_conftest(UPSTREAM, {"tests/test_x.py::test_y": "why"}, all_of_it=True)
    compile(adapted, "conftest.py", "exec")
    assert "ThreadingActor" not in adapted
    assert "actor_class=HostedActor" in adapted
    assert "def runtime(request): ..." in adapted
    assert "{'tests/test_x.py::test_y': 'why'}" in adapted


def test_a_suite_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="RUNTIMES"):
        hosted_conftest("import pytest\n", {}, all_of_it=True)


def test_every_exception_has_its_reason() -> None:
    for test, reason in known_exceptions(EXCEPTIONS.read_text(encoding="utf-8")).items():
        assert "::" in test
        assert len(reason.split()) >= 3


def test_an_exception_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="reason"):
        known_exceptions('[[exception]]\ntest = "tests/test_x.py::test_y"\n')


def test_only_the_tests_of_the_archive_are_unpacked(tmp_path: Path) -> None:
    sdist = tmp_path / "pykka-4.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for name in ("tests/proxy/a.py", "src/b.py", "tests/../../c.py"):
            member = tarfile.TarInfo(f"pykka-4.0/{name}")
            member.size = 4
            archive.addfile(member, io.BytesIO(b"pass"))
    unpack_tests(sdist, tmp_path / "suite")
    files = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.py")]
    assert files == ["suite/tests/proxy/a.py"]
