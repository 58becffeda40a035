"""Every error perdure raises, drawn as one family. Each names the thing, the limit and the way out.

PerdureError
├── UsageError                 the program or the scenario asked for something impossible
│   ├── ScenarioError          scenario.toml is wrong: file, line, column, nearest right key
│   ├── UndeclaredState        an attribute that the class did not declare
│   ├── DeclarationError       a class definition that cannot be durable
│   ├── NotEncodable           a value that has no bytes: names the path and the type
│   ├── NameClash              two classes of one registered name: names both files
│   ├── UnknownName            bytes of a message class, version or field the code does not have
│   ├── BlockingCall           .get() on the kernel thread
│   ├── TurnClosed             a verb used after its turn ended
│   └── UnknownActor           no actor of that address or class
├── Refused                    a limit or a policy said no
│   ├── InboxFull
│   ├── TooLarge
│   ├── BudgetExhausted
│   ├── Reject                 raised by handlers: consume the message, answer with an error
│   └── Ignore                 raised by on_start: do not start, which is no failure
├── Outcome                    what an ask or a step ended with instead of a value
│   ├── Crashed                the message one asked with became a dead letter
│   ├── StepFailed             a recorded failure, given back on a later attempt
│   │   └── StepCancelled      a step that was cancelled, by a timeout or with its task
│   ├── CallFailed             a supervisor was asked for what cannot be; `why` is OTP's word for it
│   ├── AskTimeout
│   ├── NotTaken               a post that the owner of a run has not taken in time (exit 4)
│   ├── Unanswered             a question of another process: no answer in time (exit 4)
│   ├── AskFailed              a question of another process: no answer, ever (exit 1)
│   └── Deadlock               an ask closed a cycle of actors that wait for each other
├── LedgerError
│   ├── LedgerInUse            another process owns it
│   ├── LedgerExists           `run --ledger DIR` on a directory that has one
│   ├── NotALedger
│   ├── LedgerTooNew           written by a newer format
│   ├── LedgerDamaged          names the first bad seq or row (exit 3)
│   ├── Compacted              a record that compaction dropped: names the cut
│   ├── NotShipped             where a run is shipped to cannot be read or written now
│   └── CommitFailed           the disk refused: names the last durable seq (exit 4)
└── Broken                     an invariant of ours does not hold; never caught, never user error
"""

from __future__ import annotations


class PerdureError(Exception):
    """The root of every error perdure raises on purpose; `exit_code` is what the CLI exits with."""

    exit_code = 2


class UsageError(PerdureError):
    """The program or the scenario asked for something impossible."""


class ScenarioError(UsageError):
    """A scenario file is wrong; the text names file, line, column and the nearest right key."""


class UndeclaredState(UsageError, AttributeError):
    """A public attribute was assigned that the actor class does not declare."""


class DeclarationError(UsageError, TypeError):
    """A class definition cannot be durable as written; the text names the way out."""


class NotEncodable(UsageError, TypeError):
    """A value has no bytes; the text names the path inside the value and the type found there."""


class NameClash(UsageError):
    """Two classes claim one registered name; the text names both files."""


class UnknownName(UsageError, LookupError):
    """Bytes name a message class, or a version or fields of one, that this code does not have."""


class BlockingCall(UsageError, RuntimeError):
    """`.get()` would block the kernel thread; use `await`, or a plain `def` handler."""


class TurnClosed(UsageError, RuntimeError):
    """A verb was used outside a turn, or after the turn that it belonged to had ended."""


class UnknownActor(UsageError, LookupError):
    """There is no actor of that address, or no actor class of that name."""


class Refused(PerdureError):
    """A limit or a policy said no."""


class InboxFull(Refused):
    """The recipient's inbox is at its hard limit; the text names both and the way out."""


class TooLarge(Refused):
    """A message, state or artifact is larger than its limit."""


class BudgetExhausted(Refused):
    """A step costs more than what is left of a budget."""


class Reject(Refused):
    """Raised by a handler: consume the message, answer with an error, drop state and sends.

    It is no crash: nothing restarts and the supervisor is not told.
    """

    def __init__(self, reason: object = "rejected") -> None:
        super().__init__(str(reason))
        self.reason = reason


class Ignore(Refused):
    """Raised by `on_start`: the actor declines to start, which is no failure.

    Its supervisor goes on without it and keeps its spec, unless that is temporary.
    """

    def __init__(self, reason: object = "not needed") -> None:
        super().__init__(str(reason))
        self.reason = reason


class Outcome(PerdureError):
    """What an ask or a step ended with instead of a value."""


class Crashed(Outcome):
    """The message one asked with became a dead letter, or its actor is gone for good."""


class CallFailed(Outcome):
    """What a supervisor was asked for cannot be: `why` is OTP's word, like `already_started`.

    `ref` is the child that is in the way, `reason` why a start failed (`why` is `start_failed`),
    `value` what is wrong with a spec.
    """

    def __init__(
        self,
        text: str,
        why: str,
        ref: object = None,
        reason: object = None,
        value: object = None,
    ) -> None:
        super().__init__(text)
        self.why = why
        self.ref = ref
        self.reason = reason
        self.value = value


class StepFailed(Outcome):
    """A step's recorded failure, given back to a later attempt: `kind` is its class name.

    Its text is what the first attempt saw, to the letter: a handler may have made something of it.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, text)
        self.kind = kind
        self.text = text

    def __str__(self) -> str:
        return self.text


class StepCancelled(StepFailed, TimeoutError):
    """A step was cancelled, by a timeout or with its task; a later attempt meets it as this."""


class AskTimeout(Outcome, TimeoutError):
    """No answer came in time."""


class NotTaken(Outcome):
    """The owner of a run has not taken a post in time; it stays in the spool, and will be."""

    exit_code = 4


class Unanswered(Outcome):
    """What another process asked is in the run, and has no answer yet; it may still get one."""

    exit_code = 4


class AskFailed(Outcome):
    """What another process asked gets no answer: `kind` is the class of the failure."""

    exit_code = 1

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class DeadlineExceeded(PerdureError):
    """A handler took longer than the `deadline` of its actor's spec: a crash like any other."""

    def __init__(self, address: str, seconds: float) -> None:
        super().__init__(
            f"{address} took more than {seconds:g} s for one attempt at its message. Raise its "
            "`deadline`, or have it do less in one turn."
        )


class Deadlock(Outcome):
    """An ask closed a cycle of actors each of which waits for the next; the text names them."""


class LedgerError(PerdureError):
    """Something is wrong with a ledger directory."""


class LedgerInUse(LedgerError):
    """Another process owns this ledger."""


class LedgerExists(LedgerError):
    """There is a ledger already where a new one was asked for."""


class NotALedger(LedgerError):
    """The directory holds no ledger."""


class LedgerTooNew(LedgerError):
    """The ledger was written by a newer format than this perdure reads."""


class LedgerDamaged(LedgerError):
    """The ledger contradicts itself; the text names the first bad seq or row."""

    exit_code = 3

    def __init__(self, text: str, seq: int | None = None) -> None:
        super().__init__(text)
        self.seq = seq


class Compacted(LedgerError):
    """A record is asked for that compaction has dropped; `cut` is the last one that may be gone."""

    def __init__(self, seq: int, cut: int) -> None:
        super().__init__(
            f"record {seq} is no longer there: the ledger was compacted up to record {cut}. What "
            "was before is in backups and forks from before; `perdure show` lists the marks that "
            "can still be used."
        )
        self.seq = seq
        self.cut = cut


class NotShipped(LedgerError):
    """Where a run is shipped to cannot be read or written now; trying again may help."""


class CommitFailed(LedgerError):
    """The disk refused a group: nothing of it is in the ledger, resume continues before it."""

    exit_code = 4

    def __init__(self, text: str, durable_seq: int = 0) -> None:
        super().__init__(text)
        self.durable_seq = durable_seq


class Broken(Exception):
    """An invariant of perdure itself does not hold. It is a bug in perdure, never in user code."""
