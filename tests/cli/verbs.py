"""The command line as tests use it, and ledgers to try it on."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from click.testing import CliRunner, Result

from perdure.cli.main import main

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
COUNTER = str(SCENARIOS / "counter")

SCENARIO = """
format = 1
name = "shop"
goal = "Sell what there is."
code = "actors.py"
[settings]
price = 3
[tree]
id = "shop"
strategy = "one_for_one"
intensity = 9
[[tree.children]]
id = "till"
actor = "Till"
init = {{ price = "${{price}}" }}
attempts_max = 2
backoff = {{ first = 0.0 }}
[[tell]]
to = "/shop/till"
message = {{ "$" = "Sale", what = "{what}" }}
[[tell]]
to = "/shop/till"
message = {{ "$" = "Close" }}
"""

ACTORS = """
from __future__ import annotations
from threading import Event
from perdure import Actor, message

@message
class Sale:
    what: str

@message
class Close:
    pass

class Till(Actor):
    price: int
    sold: list[str] = []  # noqa: RUF012

    def on_receive(self, message: Sale | Close) -> None:
        if isinstance(message, Close):
            self.artifact("receipt.txt", f"{len(self.sold)} sold").get()
            self.finish({"sold": len(self.sold)})
            return
        if message.what == "slowly":
            print("selling", flush=True)
            Event().wait(60)
        if message.what == "later":
            self.tell(self.address, Sale("bread"), delay=3_600)
        if message.what == "stolen":
            raise ValueError("it is stolen")
        self.sold.append(message.what)
""".replace("list[str] = []  # noqa: RUF012", "list[str] = field(default_factory=list)").replace(
    "import Actor, message", "import Actor, field, message"
)


def perdure(*args: str | Path) -> Result:
    """What `perdure ARGS` writes and exits with."""
    return CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False)


def answer(*args: str | Path) -> dict[str, Any]:
    """The last JSON object that `perdure ARGS --json` writes."""
    return lines(*args)[-1]


def lines(*args: str | Path) -> list[dict[str, Any]]:
    """The JSON lines that `perdure ARGS --json` writes; nothing else is on standard output."""
    result = perdure(*args, "--json")
    return [json.loads(line) for line in result.stdout.splitlines()]


def process(*args: str | Path, **env: str) -> subprocess.Popen[str]:
    """`perdure ARGS` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from perdure.cli.main import main; main()", *map(str, args)],
        cwd=ROOT,
        env={**os.environ, **env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def shop(folder: Path, what: str = "bread") -> Path:
    """A scenario: a till that sells one thing, and closes."""
    folder.mkdir(exist_ok=True)
    (folder / "scenario.toml").write_text(SCENARIO.format(what=what))
    (folder / "actors.py").write_text(ACTORS)
    return folder


def waiting_shop(folder: Path) -> Path:
    """A scenario of which something is left for later: with `--no-wait` it waits (exit 4)."""
    file = shop(folder, "later") / "scenario.toml"
    file.write_text(file.read_text().rpartition("[[tell]]")[0])
    return folder


@cache
def _sold(what: str) -> Path:
    """A finished run of the shop, made once; nobody changes it."""
    folder = Path(mkdtemp(prefix="perdure-sold-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = perdure("run", shop(folder / "shop", what), "--ledger", folder / "run", "--seed", "1")
    assert made.exit_code == 0
    return folder


def sold_in(home: Path, what: str = "bread") -> Path:
    """A finished run of the shop in a home, as shop-1: it sold one thing, and made an artifact."""
    shutil.copytree(_sold(what) / "run", home / "shop-1")
    return home / "shop-1"
