"""A trial: actors in memory, under a clock that the test moves, audited at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from perdure.actors.futures import Future
from perdure.clock import NS, FakeClock
from perdure.errors import AskTimeout
from perdure.ledger.audit import audit_store
from perdure.ledger.memory import MemoryStore
from perdure.runtime.report import Report
from perdure.runtime.run import Run
from perdure.runtime.view import Letter, View
from perdure.testing.pauses import Pauses
from perdure.testing.probes import Probe
from perdure.testing.scripts import Scripted
from perdure.testing.stage import program_of, with_probes
from perdure.testing.toolbox import Toolbox

REAL_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.005


class Trial:
    """A run in memory for a test: `with Trial(Counter) as trial: trial.tell(…)`.

    `parts` are Actor classes, `Child`ren and `Probe`s, which are siblings under `/trial`; or one
    scenario (its folder) or root supervisor. `tools` are `scripted` ones, and `probes` take the
    places of actors in the tree, by address. Time stands still until `advance` or `wait` moves it.
    Leaving the block drains the run and audits its ledger.

    >>> from perdure import Actor
    >>> class Adder(Actor):
    ...     total: int = 0
    ...     async def on_receive(self, message: int) -> None:
    ...         self.total += message
    >>> with Trial(Adder) as trial:
    ...     trial.tell("/trial/adder", 2)
    ...     trial.tell("/trial/adder", 3)
    ...     trial.state("/trial/adder")
    {'total': 5}
    """

    def __init__(
        self,
        *parts: Any,
        tools: Iterable[Scripted] = (),
        probes: Mapping[str, Probe] | None = None,
        seed: int = 1,
        settings: Sequence[str] = (),
    ) -> None:
        self.program = with_probes(program_of(parts, settings), probes or {})
        self.store = MemoryStore()
        self.clock = FakeClock(jumps=False)
        self.toolbox = Toolbox(tools)
        self._probes = [part for part in parts if isinstance(part, Probe)]
        self._probes += (probes or {}).values()
        self._calm = threading.Event()
        self._is_waiting = False
        self.run = Run(self.program, seed=seed, store=self.store, clock=self.clock)
        kernel = self.run.kernel
        self.pauses = Pauses(kernel)
        self.pauses.on_calm = self._on_calm
        self.toolbox.begin(kernel, self.pauses)
        self._quiet, kernel.quiet = kernel.quiet, self._on_quiet

    def __enter__(self) -> Self:
        for probe in self._probes:
            probe.begin(self)
        self.run.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.settle()
        self.run.kernel.on_kernel(self.pauses.close)
        self.run.__exit__(kind, error, trace)
        if error is None:
            self._check()

    def _check(self) -> None:
        wrong = [str(each) for each in audit_store(self.store.reopened())]
        wrong += [
            f"{script.name} was called more often than its script has outcomes"
            for script in self.toolbox.scripts.values()
            if script.wants_more
        ]
        if wrong:
            raise AssertionError("\n".join(wrong))

    # --- time

    @property
    def now(self) -> float:
        """How many seconds of ledger time have passed."""
        return self.clock.monotonic_ns() / NS

    def settle(self) -> None:
        """Wait until nothing can go on without time going on, and all is durable."""
        calm, kernel = threading.Event(), self.run.kernel
        kernel.on_kernel(self._look, calm)
        for _ in range(int(REAL_SECONDS_MAX / LOOK_SECONDS)):
            if calm.wait(LOOK_SECONDS) or kernel.ended.is_set():
                return
        raise AssertionError(
            f"the run does not come to rest in {REAL_SECONDS_MAX:g} real seconds: a handler or a "
            "tool waits for something outside. Script the tool, or have it end."
        )

    def advance(self, seconds: float) -> None:
        """Let that much ledger time pass: what is due in it happens, each at its time."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self.advance_until(lambda: False, seconds)

    def advance_until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Let time pass until `condition` holds, at most that long; whether it does."""
        end = self.clock.monotonic_ns() + int(seconds * NS)
        while True:
            self.settle()
            if condition():
                return True
            if self.run.kernel.ended.is_set() or self.clock.monotonic_ns() >= end:
                return False
            self.on_kernel(self._leap, end)

    def _leap(self, end: int) -> None:
        """To the next thing that is due, or to `end`."""
        book = self.run.kernel.book
        last = book.now_ns() + end - self.clock.monotonic_ns()
        due = self.pauses.next_ns
        self.pauses.leap(last if due is None else min(due, last))

    def wait(self) -> Report:
        """Let time leap until the run has ended or nothing is left to do; how it ended."""

        def go() -> None:
            self.clock.jumps = True
            self._look(threading.Event())

        self._is_waiting = True
        self.run.kernel.on_kernel(go)
        return self.run.wait(REAL_SECONDS_MAX)

    def _look(self, calm: threading.Event) -> None:
        """Set `calm` when nothing goes on any more; what was so before does not count."""
        self._calm = calm
        self.pauses.look()
        self.run.kernel.rest()

    def _on_quiet(self, waiting: bool) -> None:
        self._calm.set()
        if self._is_waiting:
            self._quiet(waiting)

    def _on_calm(self) -> None:
        """Nothing goes on but pauses, and no time is due."""
        self._calm.set()
        if self._is_waiting:
            self.run.kernel.ending.begin("waiting", "a probe was asked, and has not replied")

    # --- talk

    def on_kernel(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a function on the run's own thread, and give back what it returns."""
        return self.run.kernel.ask_kernel(function, *args)

    def tell(self, address: str, message: object) -> None:
        """Send a message from outside; returns when all that follows from it at once is done."""
        self.run.tell(address, message).get(timeout=REAL_SECONDS_MAX)
        self.settle()

    def ask(self, address: str, message: object, *, within: float = 0.0) -> Any:
        """Send a message from outside and return its answer, which takes `within` seconds at most.

        The seconds are of ledger time, which is moved until the answer is there. Raises what
        asking raises: `Crashed`, `Reject`, and `AskTimeout`.
        """
        answer: Future[Any] = self.run.kernel.outside.ask(address, message)
        if not self.advance_until(lambda: answer.is_done, within):
            raise AskTimeout(f"{address} has not answered {message!r} within {within:g} s.")
        return answer.get()

    # --- look

    @property
    def view(self) -> View:
        """The ledger as it is now, read with the classes of the test."""
        view = View(self.store.reopened())
        codec: Any = self.run.kernel.book.codec
        view.codec = codec
        return view

    def state(self, address: str) -> dict[str, Any]:
        """The committed state of an actor by field, as its class has it."""
        self.settle()
        if self.run.kernel.ended.is_set():
            return self.view.state(address)
        return self.run.get_state(address)

    @property
    def dead_letters(self) -> list[Letter]:
        """The dead letters so far, in the order of sending."""
        self.settle()
        return list(self.view.dead_letters())
