"""A process that a damaged page ends says so, and exits as for any damage."""

from __future__ import annotations

import subprocess
import sys

import pytest

DEATHS = {
    "SIGABRT": "import os; os.abort()",
    "SIGSEGV": "import ctypes; ctypes.string_at(8)",
    "SIGBUS": """
import mmap, tempfile
file = tempfile.TemporaryFile()
file.truncate(4096)
page = mmap.mmap(file.fileno(), 4096)
file.truncate(0)
page[0]
""",
}


@pytest.mark.parametrize("name", DEATHS)
def test_a_signal_that_ends_a_process_is_a_sentence_and_exit_3(name: str) -> None:
    script = f"from perdure.cli.fatal import speak_last\nspeak_last()\n{DEATHS[name]}"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 3, ended
    assert ended.stderr.startswith(f"perdure: {name} ended this, as it does when a page")
    assert "`perdure verify RUN`" in ended.stderr
