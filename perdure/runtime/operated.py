"""What people do to the actors of a run that goes on: each is a record before it has an effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from perdure.actors.signals import send_exit, send_stop, state_of, suspend
from perdure.mailbox.control import reason_text
from perdure.mailbox.signals import Replace

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Operated:
    """The part of a `Run` that acts on its actors from above."""

    kernel: Kernel

    def cancel(self, address: str) -> None:
        """End an actor and all below it for good; returns when that is durable.

        Their turns in flight change nothing any more, what waits for them is dead letters, and no
        tool call of theirs starts after it. Raises `UnknownActor`; `UsageError` for the root.
        """
        self.kernel.outside.cancel(address).get()

    def suspend(self, address: str) -> None:
        """Have an actor take no more messages; returns when that is durable (OTP's sys:suspend).

        The turn that it is at ends. A stop or a kill ends its life, and its next life takes
        messages. Raises `UnknownActor`, and `UsageError` for one that is down.
        """
        self.kernel.outside.intervene(suspend, address, True).get()

    def unsuspend(self, address: str) -> None:
        """Have a suspended actor go on with what waits; returns when that is durable."""
        self.kernel.outside.intervene(suspend, address, False).get()

    def stop(self, address: str, reason: str = "normal") -> None:
        """Ask an actor to end with a reason; returns when the wish is durable.

        `on_stop` runs, a supervisor stops its children first, and whoever supervises it decides
        what then, as if it had stopped itself (OTP's gen_server:stop). Raises `UnknownActor`.
        """
        self.kernel.outside.intervene(send_stop, address, reason_text(reason)).get()

    def exit(self, address: str, reason: str) -> None:
        """Send an actor an exit signal, as `self.exit` does; returns when that is durable."""
        self.kernel.outside.intervene(send_exit, address, reason_text(reason)).get()

    def get_state(self, address: str) -> dict[str, Any]:
        """The state of an actor as last committed, by field. Raises `UnknownActor`."""
        state: dict[str, Any] = self.kernel.ask_kernel(state_of, self.kernel, address)
        return state

    def replace_state(
        self, address: str, state: Mapping[str, Any], *, timeout: float | None = None
    ) -> None:
        """Give fields of a running actor other values, between two of its turns, as one record.

        Raises `Reject` for a field that it does not have or a value that it cannot have; then its
        state stays. Fields that are left out stay too.
        """
        self.kernel.outside.ask(address, Replace(dict(state))).get(timeout=timeout)
