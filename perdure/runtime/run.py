"""A run from outside: start it, resume it, talk to it, wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from perdure.actors.actor import Actor
from perdure.actors.book import Book
from perdure.actors.crashpoint import Between, CrashPoint
from perdure.actors.events import Observer, nobody
from perdure.actors.futures import Future
from perdure.actors.held import HELD
from perdure.actors.kernel import Kernel
from perdure.actors.machine import Machine, RealMachine
from perdure.actors.pacing import keep_level
from perdure.actors.recovery import begin_new, is_over, opened, read_lineage, take_up
from perdure.actors.refs import AgentRef
from perdure.actors.reloading import Reloaded
from perdure.actors.scheduler import SchedulerRef, figures
from perdure.clock import Clock, RealClock
from perdure.errors import UsageError
from perdure.ids import MessageId
from perdure.ledger.group import Store
from perdure.ledger.memory import MemoryStore
from perdure.ledger.store import open_store
from perdure.ledger.values import Codec
from perdure.runtime.doorverbs import VERBS
from perdure.runtime.housekeeping import keep_house
from perdure.runtime.operated import Operated
from perdure.runtime.origin import kept_scenario, open_run
from perdure.runtime.program import Program, package_version
from perdure.runtime.reload import reload, verb
from perdure.runtime.report import REPAIR, SUSPENDED, Report
from perdure.runtime.scenario import Scenario


class Run(Operated):
    """One execution of a scenario, with its ledger: `with Run("scenarios/counter") as run: …`.

    `scenario` is a scenario's folder or file, or a root `Supervisor` class or `Child`; `ledger` is
    the run's directory, or None for a run in memory; `seed` fixes chance; `settings` are texts like
    `"readers=3"`; `durability` is "group", "each" or "relaxed", in place of what the scenario says.
    Leaving the block drains: turns in flight end, the rest stays in the ledger.

    Raises `ScenarioError` and `LedgerError` at once; the kernel starts with the block.
    """

    _begin: Callable[[], None]

    def __init__(
        self,
        scenario: str | Path | Scenario | type[Actor] | Any,
        ledger: str | Path | None = None,
        *,
        seed: int | None = None,
        settings: Sequence[str] = (),
        durability: str | None = None,
        clock: Clock | None = None,
        observer: Observer = nobody,
        store: Store | None = None,
        crash_at: int | None = None,
        crash_before: int | None = None,
        machine: Machine | None = None,
    ) -> None:
        program = Program.of(scenario, settings).at_level(durability)
        program.posts(Codec(program.names))  # a wrong first message fails before there is a ledger
        machine = machine or RealMachine()
        self.seed = int.from_bytes(machine.random_bytes(4), "big") if seed is None else seed
        header, root = program.header(self.seed, machine.random_bytes(16)), program.root()
        if store is None:
            store = MemoryStore() if ledger is None else open_store(ledger, create=True)
        self._open(program, store, ledger, clock, observer, machine)
        self._begin = lambda: begin_new(self.kernel, header, root, package_version(), program.files)
        self.between: Between = CrashPoint(self.kernel, crash_at, crash_before)

    @classmethod
    def resume(
        cls,
        directory: str | Path | None,
        *,
        clock: Clock | None = None,
        observer: Observer = nobody,
        store: Store | None = None,
        program: Program | None = None,
        durability: str | None = None,
        live: bool = False,
        crash_at: int | None = None,
        crash_before: int | None = None,
        machine: Machine | None = None,
    ) -> Self:
        """Take up a run where its last process left it: the same incarnations go on.

        One that is over stays so. `live` lets a fork act; until then only what reads is done.
        """
        run = cls.__new__(cls)
        if store is None:
            store = open_run(directory)
        try:
            header, code, fork, _ = read_lineage(store)
            if live and fork is None:
                raise UsageError("live=True is for forks, and this run is none: it may act.")
            program = program or Program.resumed(header, code or kept_scenario(header, directory))
            program = program.at_level(durability)
            run.seed = header.seed
            run._open(program, store, directory, clock, observer, machine or RealMachine())
            run.kernel.book.pedigree.run_id = header.run_id
        except BaseException:
            store.close()
            raise

        def begin() -> None:
            if not is_over(run.kernel):
                opened(run.kernel, package_version(), program.files)
                if live:
                    run.kernel.book.pedigree.let_live(run.kernel.book)
                take_up(run.kernel, program.root())

        run._begin, run.code_changed = begin, program.code_hash != header.code_hash
        run.between = CrashPoint(run.kernel, crash_at, crash_before)
        return run

    def _open(
        self,
        program: Program,
        store: Store,
        directory: str | Path | None,
        clock: Clock | None,
        observer: Observer,
        machine: Machine,
    ) -> None:
        self.program, self.scenario = program, program.scenario
        self.directory = None if directory is None else Path(directory)
        self.code_changed = False
        book = Book(store, program.edition(), clock or RealClock())
        book.dead_letters_to = program.dead_letters_to
        self.kernel = kernel = Kernel(
            book,
            seed=self.seed,
            concurrency=program.concurrency,
            directory=self.directory,
            observer=observer,
            machine=machine,
        )
        keep_level(kernel, program.durability)
        kernel.outside.first_posts = program.posts(book.codec)
        kernel.quiet = self._on_quiet
        kernel.door.verbs = {**VERBS, "reload": verb(self)}
        self._quiet: Future[bool] = Future()
        self._is_quiet: bool | None = None
        self._watch: Callable[[bool], None] | None = None
        self._started = 0.0

    # --- life

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self.kernel.start(self._start)
        keep_house(self.kernel, self.directory, self.program.retention)
        self.kernel.outside.is_up.wait()  # as OTP's start_link: the tree is up, or it failed
        return self

    def begin_with(self, begin: Callable[[], None]) -> None:
        """Have something else happen first on the kernel thread than beginning or resuming."""
        self._begin = begin

    def _start(self) -> None:
        self._begin()
        self.between.arm()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.drain()
        self.kernel.ended.wait()

    def drain(self) -> None:
        """Let turns in flight end (at most `DRAIN_SECONDS_MAX`), make them durable, stop."""
        if self.kernel.ended.is_set():
            return  # perhaps because this is a forked child: then nothing here is ours
        self.kernel.interruptions.flights.close()  # what is in flight now did not end it
        self.kernel.on_kernel(self.kernel.ending.begin, "interrupted", "drained")

    def wait(self, timeout: float | None = None, *, stay: bool = True) -> Report:
        """Wait until the run is finished or failed, or has nothing left to do; say how it ended.

        With `stay`, a run that waits for timers or people is waited for; else it is drained with
        the status `waiting`, as a fork is with a call that is held, and any run of which nothing
        is left but what waits for a repair or for suspended actors: that is for a person. Raises
        `TimeoutError` after `timeout` seconds, and whatever made the ledger fail.
        """
        kernel = self.kernel

        def watch(waiting: bool) -> None:
            if not waiting:
                kernel.ending.begin("finished", "nothing left to do")
            elif kernel.is_due_soon:
                pass  # a message or a call is tried again after its back-off: that is no waiting
            elif kernel.book.pedigree.has_refused:
                kernel.ending.begin("waiting", HELD)
            elif kernel.needs_repair:
                kernel.ending.begin("waiting", REPAIR)
            elif kernel.needs_release:
                kernel.ending.begin("waiting", SUSPENDED)
            elif not stay:
                kernel.ending.begin("waiting", "only timers or people remain")

        kernel.on_kernel(self._set_watch, watch)
        deadline = None if timeout is None else time.monotonic() + timeout
        while not kernel.ended.is_set():
            left = 3600.0 if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"the run has not ended within {timeout:g} s.")
            kernel.ended.wait(min(left, 0.5))
        return self.report()

    def _set_watch(self, watch: Callable[[bool], None]) -> None:
        self._watch = watch
        self.kernel.loop.call_soon(self.kernel.rest)

    def _on_quiet(self, waiting: bool) -> None:
        if self._watch is not None:
            self._watch(waiting)

    def report(self) -> Report:
        """How it stands; raises whatever made the kernel fail."""
        kernel = self.kernel
        if kernel.ending.error is not None:
            raise kernel.ending.error
        status = kernel.ending.status
        said = kernel.ending.result
        result = None if said is None else kernel.book.editions.read(said)
        seconds = time.monotonic() - self._started
        return Report(status.status, status.reason, result, self.directory, seconds)

    # --- talk

    def tell(self, address: str, message: object) -> Future[MessageId]:
        """Send a message into the run; the receipt resolves, to its id, when it is durable."""
        return self.kernel.outside.tell(address, message)

    def ask(self, address: str, message: object, *, timeout: float | None = None) -> Any:
        """Send a message into the run and wait for its answer, at most `timeout` seconds.

        The answer is given out once everything that it depends on is durable. Raises what the
        handler rejected with, `Crashed` for a dead letter, and `pykka.Timeout`.
        """
        return self.kernel.outside.ask(address, message).get(timeout=timeout)

    def reload(self, addresses: str | Sequence[str] = ()) -> Reloaded:
        """Load the code folder again: its actors run it from their next message on.

        They are not restarted. With addresses, only the actors there and all below them change.
        Returns when that is durable, and says who could not, and goes on with the code it had.
        Raises `ScenarioError` with file and line for code that does not load, `UnknownActor`, and
        `UsageError` for a run that was started from Python: then nothing has changed.
        """
        return reload(self, (addresses,) if isinstance(addresses, str) else tuple(addresses))

    def ref(self, address: str) -> AgentRef:
        """A Pykka ref to an actor of this run: tell, ask, stop, proxy. Raises `UnknownActor`.

        >>> from perdure import Actor, Child, SupervisorSpec
        >>> class Adder(Actor):
        ...     total: int = 0
        ...     async def add(self, number: int) -> int:
        ...         self.total += number
        ...         return self.total
        >>> with Run(Child("sums", supervisor=SupervisorSpec(children=[Child("a", Adder)]))) as run:
        ...     adder = run.ref("/sums/a").proxy()
        ...     adder.add(2).get(), adder.add(3).get(), adder.total.get()
        (2, 5, 5)
        """
        return AgentRef(self.kernel, address)

    @property
    def scheduler(self) -> SchedulerRef:
        """A ref to the run's Scheduler actor: what is ready, what runs, the limit."""
        return self.kernel.scheduler

    def figures(self) -> dict[str, Any]:
        """Counts for a progress display; from any thread, not exact to the record."""
        return figures(self.kernel)
