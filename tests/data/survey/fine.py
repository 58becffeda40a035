"""A module with one of everything that is counted."""

import os
import os.path as p
import xml.dom.minidom
from collections import *
from collections import OrderedDict, defaultdict

square = lambda x: x * x


class Outer:
    """Documented."""

    class Inner:
        b"bytes are no docstring"

        def method(self):
            """Documented."""

            def nested():
                f"an f-string is no docstring"

            return nested

    async def coroutine(self):
        ""


def undocumented():
    pass; "too late"


if os.name == "posix":
    import fcntl

    def branch():
        "Documented, in a branch."
else:
    try:
        import msvcrt
    except ImportError:
        def handler(): ...
    else:
        class InElse: ...
    finally:
        def last(): ...

for _ in ():
    def looped(): ...
else:
    with open(os.devnull):
        def inside_with(): ...

match os.name:
    case "nt":
        import winreg
    case _:
        def matched():
            """Documented, in a case."""
