"""Trials: actors in memory, whose time a test moves, audited at the end."""

from __future__ import annotations

import pytest

from perdure import Actor, AskTimeout, Child, field, message, tool
from perdure.errors import UsageError
from perdure.testing import Probe, Trial, scripted, slow


@message("trial.note")
class Note:
    text: str


@message("trial.later")
class Later:
    seconds: float
    text: str


@tool("trial.rate", effect="read", retries=1)
async def rate(currency: str) -> float:
    raise RuntimeError("no test calls this")


@tool("trial.pay", effect="financial")
def pay(amount: int) -> str:
    raise RuntimeError("no test calls this")


class Keeper(Actor):
    notes: list[str] = field(default_factory=list)

    async def on_receive(self, message: Note | Later) -> list[str]:
        if isinstance(message, Later):
            await self.sleep(message.seconds)
        self.notes.append(message.text)
        return list(self.notes)


class Bad(Actor):
    async def on_receive(self, message: Note) -> None:
        raise ValueError(message.text)


class Payer(Actor):
    paid: list[str] = field(default_factory=list)

    async def on_receive(self, message: Note) -> str:
        today = await self.call(rate, currency=message.text)
        self.paid.append(await self.call(pay, amount=round(today * 100)))
        return self.paid[-1]


class PlainPayer(Actor):
    paid: list[str] = field(default_factory=list)

    def on_receive(self, message: Note) -> str:
        self.paid.append(self.call(pay, amount=7).get())
        return self.paid[-1]


def test_what_a_message_leads_to_is_done_when_telling_it_returns() -> None:
    with Trial(Keeper) as trial:
        trial.tell("/trial/keeper", Note("a"))
        assert trial.state("/trial/keeper") == {"notes": ["a"]}
        assert trial.ask("/trial/keeper", Note("b")) == ["a", "b"]


def test_time_stands_still_until_it_is_moved_and_what_is_due_happens_in_its_order() -> None:
    with Trial(Child("slow", Keeper), Child("quick", Keeper)) as trial:
        trial.tell("/trial/slow", Later(60, "slow"))
        trial.tell("/trial/quick", Later(10, "quick"))
        trial.advance(9)
        assert trial.state("/trial/quick") == {"notes": []}
        trial.advance(1)
        assert trial.state("/trial/quick") == {"notes": ["quick"]}
        assert trial.state("/trial/slow") == {"notes": []}
        trial.advance(3_600)
        assert trial.state("/trial/slow") == {"notes": ["slow"]}
        assert trial.now == 3_610


def test_an_answer_is_waited_for_in_ledger_time() -> None:
    with Trial(Keeper) as trial:
        with pytest.raises(AskTimeout):
            trial.ask("/trial/keeper", Later(86_400, "tomorrow"))
        assert trial.ask("/trial/keeper", Note("now"), within=2 * 86_400) == ["tomorrow", "now"]
        assert trial.now == 86_400


def test_a_trial_that_is_waited_for_leaps_to_its_end() -> None:
    with Trial(Keeper) as trial:
        trial.tell("/trial/keeper", Later(1e7, "months"))
        assert trial.wait().status == "finished"
    assert trial.now == 1e7
    assert trial.state("/trial/keeper") == {"notes": ["months"]}


def test_dead_letters_come_with_their_messages() -> None:
    with Trial(Child("bad", Bad, attempts_max=1)) as trial:
        trial.tell("/trial/bad", Note("poison"))
        (letter,) = trial.dead_letters
    assert (letter.to, letter.message) == ("/trial/bad", Note("poison"))


def test_scripted_tools_give_outcomes_and_failures_in_order_and_remember_their_calls() -> None:
    rates = scripted(rate, [TimeoutError("down"), 1.25])
    paid = scripted(pay, lambda amount: f"receipt for {amount}")
    with Trial(Payer, tools=[rates, paid]) as trial:
        assert trial.ask("/trial/payer", Note("EUR"), within=60) == "receipt for 125"
    assert [call.kwargs for call in rates.calls] == [{"currency": "EUR"}] * 2
    assert [call.kwargs for call in paid.calls] == [{"amount": 125}]


@pytest.mark.parametrize("payer", [Payer, PlainPayer])
def test_a_slow_tool_takes_ledger_time_and_no_other(payer: type[Actor]) -> None:
    tools = [scripted(rate, [slow(100, 1.0)]), scripted(pay, [slow(1_000, "receipt")])]
    with Trial(Child("payer", payer), tools=tools) as trial:
        trial.tell("/trial/payer", Note("EUR"))
        trial.advance(999)
        assert trial.state("/trial/payer") == {"paid": []}
        trial.advance(101)
        assert trial.state("/trial/payer") == {"paid": ["receipt"]}


def test_a_slow_tool_is_leapt_over_by_a_trial_that_is_waited_for() -> None:
    tools = [scripted(rate, [slow(100, 1.0)]), scripted(pay, [slow(1_000, "receipt")])]
    with Trial(Payer, tools=tools) as trial:
        trial.tell("/trial/payer", Note("EUR"))
        assert trial.wait().status == "finished"
    assert trial.state("/trial/payer") == {"paid": ["receipt"]}
    assert trial.now == 1_100


def test_a_script_that_is_too_short_is_told_at_the_end() -> None:
    def pay_twice() -> None:
        tools = [scripted(rate, [1.0], repeat=True), scripted(pay, ["one"])]
        with Trial(Payer, tools=tools) as trial:
            trial.tell("/trial/payer", Note("EUR"))
            trial.tell("/trial/payer", Note("EUR"))

    with pytest.raises(AssertionError, match=r"trial\.pay was called more often"):
        pay_twice()


class Forwarder(Actor):
    to: str
    answers: list[str] = field(default_factory=list)

    async def on_receive(self, message: Note | Later) -> None:
        if isinstance(message, Later):
            self.send_after(message.seconds, self.to, Note(message.text))
            return
        self.tell(self.to, message)
        try:
            self.answers.append(await self.ask(self.to, message, timeout=30))
        except AskTimeout:
            self.answers.append("none")


def forwarder() -> Child:
    return Child("forwarder", Forwarder, init={"to": "../desk"})


def test_a_probe_shows_what_it_got_and_replies_to_what_it_was_asked() -> None:
    desk = Probe("desk")
    with Trial(forwarder(), desk) as trial:
        trial.tell("/trial/forwarder", Note("hello"))
        assert desk.expect_message(Note).text == "hello"
        assert desk.last is not None
        assert (desk.last.sender, desk.last.is_asked) == ("/trial/forwarder", False)
        desk.expect_message(Note("hello"))
        desk.expect_no_message(within=29)
        desk.reply("well received")
        assert trial.state("/trial/forwarder") == {"to": "../desk", "answers": ["well received"]}


def test_a_probe_that_does_not_reply_lets_the_timeout_pass() -> None:
    desk = Probe("desk")
    with Trial(forwarder(), desk) as trial:
        trial.tell("/trial/forwarder", Note("hello"))
        trial.advance(30)
        assert trial.state("/trial/forwarder") == {"to": "../desk", "answers": ["none"]}


def test_a_probe_waits_in_ledger_time_for_a_message_and_says_what_came_instead() -> None:
    desk = Probe("desk", replies=["at once"])
    with Trial(forwarder(), desk) as trial:
        trial.tell("/trial/forwarder", Later(50, "later"))
        desk.expect_no_message(within=49)
        with pytest.raises(AssertionError, match=r"got no message within 0\.5 s"):
            desk.expect_message(within=0.5)
        with pytest.raises(AssertionError, match=r"desk got Note\(text='later'\) from"):
            desk.expect_message(Note("sooner"), within=1)
        trial.tell("/trial/forwarder", Note("question"))
        assert desk.waiting == [Note("question")] * 2


def test_a_probe_takes_the_place_of_an_actor_in_a_scenario() -> None:
    total = Probe("total")
    with Trial("scenarios/counter", probes={"/counter/sum": total}) as trial:
        assert len(total.waiting) == 4
        assert total.expect_message().number == 2
        assert trial.dead_letters == []


def test_a_probe_for_nobody_is_refused_with_who_there_is() -> None:
    with pytest.raises(UsageError, match="Did you mean '/counter/sum'"):
        Trial("scenarios/counter", probes={"/counter/summ": Probe("total")})
