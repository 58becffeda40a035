"""A scenario's code: how it is loaded, what is found in it, and how its faults are told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import NameClash, ScenarioError
from perdure.ledger.messages import Names
from perdure.runtime.code import Code, actor_classes, load_code


@pytest.fixture(autouse=True)
def import_system_is_left_as_it_was() -> Iterator[None]:
    modules, finders = dict(sys.modules), list(sys.meta_path)
    yield
    sys.meta_path[:] = finders
    for name in set(sys.modules) - set(modules):
        if name.startswith("_perdure_code_") or "." not in name:
            del sys.modules[name]


def folder(path: Path, **files: str) -> Path:
    """A folder of Python files; where its actors.py is."""
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / f"{name}.py").write_text(text)
    return path / "actors.py"


def get(code: Code, name: str) -> Any:
    return code.namespace[name]


def test_code_is_loaded_from_where_it_lies(tmp_path: Path) -> None:
    code = load_code(folder(tmp_path, actors="FILE = __file__"))
    assert get(code, "FILE") == str(tmp_path / "actors.py") == str(code.path)


def test_two_scenarios_with_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    one = load_code(folder(tmp_path / "one", actors="import words\nW = words.W", words="W = 1"))
    two = load_code(folder(tmp_path / "two", actors="import words\nW = words.W", words="W = 2"))
    assert (get(one, "W"), get(two, "W")) == (1, 2)
    assert get(one, "__name__") != get(two, "__name__")
    assert sys.modules[get(one, "__name__")].W == 1


def test_siblings_can_be_imported_later_too(tmp_path: Path) -> None:
    late = "def late():\n    from words import W\n    return W\n"
    code = load_code(folder(tmp_path, actors=late, words="W = 1"))
    assert get(code, "late")() == 1


def test_packages_beside_the_code_are_siblings(tmp_path: Path) -> None:
    path = folder(tmp_path, actors="from words.english import W")
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "__init__.py").touch()
    (tmp_path / "words" / "english.py").write_text("W = 1")
    assert get(load_code(path), "W") == 1
    other = load_code(folder(tmp_path / "other", actors=""))
    assert get(other, "__name__") in sys.modules
    assert not {"words", "words.english"} & set(sys.modules)


def test_a_folder_without_init_hides_no_installed_package(tmp_path: Path) -> None:
    path = folder(tmp_path, actors="import hypothesis.internal\nF = hypothesis.__file__")
    (tmp_path / "hypothesis").mkdir()
    assert not get(load_code(path), "F").startswith(str(tmp_path))


def test_the_standard_library_is_not_replaced_by_a_sibling(tmp_path: Path) -> None:
    path = folder(tmp_path, actors="import colorsys\nF = colorsys.__file__", colorsys="")
    assert get(load_code(path), "F") != str(tmp_path / "colorsys.py")


def test_a_sibling_that_imports_the_code_gets_the_same_classes(tmp_path: Path) -> None:
    actors = "class A: pass\ndef late():\n    import words\n    return words.A\n"
    code = load_code(folder(tmp_path, actors=actors, words="from actors import A"))
    assert get(code, "late")() is get(code, "A")


def test_code_changed_within_a_second_is_loaded_as_it_is_now(tmp_path: Path) -> None:
    text = {"actors": "import words\nW = words.W"}
    values = [get(load_code(folder(tmp_path, **text, words=f"W = {n}")), "W") for n in (1, 2, 3)]
    assert values == [1, 2, 3]
    assert not (tmp_path / "__pycache__").exists()


def test_the_digest_covers_names_and_bytes_of_the_code_and_its_siblings(tmp_path: Path) -> None:
    def digest(path: Path, **files: str) -> bytes:
        return load_code(folder(tmp_path / path, **files)).digest

    first = digest(Path("a"), actors="", words="")
    assert len(first) == 32
    assert digest(Path("b"), actors="", words="") == first
    different = [
        digest(Path("c"), actors="1", words=""),
        digest(Path("d"), actors="", words="1"),
        digest(Path("e"), actors="", wordy=""),
        digest(Path("f"), actors=""),
    ]
    assert len({first, *different}) == 5


@pytest.mark.parametrize(
    ("actors", "says"),
    [
        (
            "x = 1\ndef broken(:\n    pass\n",
            "actors.py:2: the code does not load: SyntaxError: invalid syntax\n    def broken(:",
        ),
        (
            "import perdure\nimport no_such_thing\n",
            (
                "actors.py:2: the code does not load: ModuleNotFoundError: "
                "No module named 'no_such_thing'\n    import no_such_thing"
            ),
        ),
        (
            "def fail():\n    return 1 / 0\nfail()\n",
            (
                "actors.py:2: the code does not load: ZeroDivisionError: division by zero\n"
                "    return 1 / 0"
            ),
        ),
        (
            "import words\n",
            "words.py:3: the code does not load: SyntaxError: '(' was never closed\n    x = (",
        ),
        (
            "import json\njson.loads('{')\n",
            (
                "actors.py:2: the code does not load: JSONDecodeError: Expecting property name "
                "enclosed in double quotes: line 1 column 2 (char 1)\n    json.loads('{')"
            ),
        ),
        (
            "compile('1 +', '<unknown>', 'eval')\n",
            (
                "actors.py:1: the code does not load: SyntaxError: invalid syntax\n"
                "    compile('1 +', '<unknown>', 'eval')"
            ),
        ),
        (
            "raise SystemExit\n",
            "actors.py:1: the code does not load: SystemExit\n    raise SystemExit",
        ),
        (
            "from perdure.ledger.messages import message\n\n@message('a b')\nclass A: pass\n",
            "actors.py:3: the code does not load: DeclarationError: 'a b' cannot name",
        ),
    ],
)
def test_code_that_does_not_load_is_told_by_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, actors: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    with pytest.raises(ScenarioError) as caught:
        load_code(folder(tmp_path, actors=actors, words="\n\nx = (\n"))
    assert str(caught.value).startswith(says)
    assert not {"words", "actors"} & set(sys.modules)
    assert not any(name.startswith("_perdure_code_") for name in set(sys.modules) - before)


def test_code_that_is_not_utf8_or_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "actors.py").write_bytes(b"x = 'caf\xe9'\n")
    with pytest.raises(ScenarioError, match=r"^actors\.py:1: the code does not load: SyntaxError"):
        load_code("actors.py")
    with pytest.raises(ScenarioError, match=r"^gone\.py cannot be read: No such file or directory"):
        load_code("gone.py")


ACTORS = """\
from perdure.actors.actor import Actor
from words import Word

class Reader(Actor):
    async def on_receive(self, message): ...

class Old(Actor, name="survey.new", aliases=("survey.old",)):
    pass

class NotOne: pass
Alias = Reader
"""
WORDS = """\
from perdure.actors.actor import Actor

class Word(Actor):
    async def on_receive(self, message): ...
"""


def test_actor_classes_are_those_that_the_code_defines_or_imports(tmp_path: Path) -> None:
    code = load_code(folder(tmp_path, actors=ACTORS, words=WORDS))
    names = ["Reader", "Word", "Old"]
    renamed = {name: get(code, "Old") for name in ("survey.new", "survey.old")}
    assert actor_classes(code) == {name: get(code, name) for name in names} | renamed


def test_two_actor_classes_of_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    both = "import words\nfrom words import Word as Other\n" + WORDS
    code = load_code(folder(tmp_path, actors=both, words=WORDS))
    with pytest.raises(NameClash) as caught:
        actor_classes(code)
    assert str(caught.value) == (
        f"two actor classes are named 'Word': Word ({tmp_path}/words.py:3) and "
        f"Word ({tmp_path}/actors.py:5). Rename one of them."
    )


def test_messages_of_the_code_are_known_by_name_and_a_clash_names_both_files(
    tmp_path: Path,
) -> None:
    text = "from perdure.ledger.messages import message\n@message\nclass Read: pass\n"
    path = folder(tmp_path, actors=text + "from words import Read as Other\n", words=text)
    with pytest.raises(NameClash, match=r"actors\.py:.*words\.py:"):
        Names.of(load_code(path).namespace)
    again = [Names.of(load_code(folder(tmp_path, actors=text)).namespace) for _ in range(2)]
    assert [list(names) for names in again] == [["Read"], ["Read"]]


def test_two_messages_of_one_name_in_one_file_are_refused_with_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "actors.py"
    path.write_text(
        "from perdure import message\n\n@message\nclass M:\n    n: int\n\n"
        '@message("other")\nclass M:\n    k: int\n'
    )
    with pytest.raises(NameClash, match=r"named 'M': .*actors.py:4 and .*actors.py:8"):
        load_code(path)
