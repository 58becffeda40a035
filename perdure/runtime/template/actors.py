"""What this project is made of: its messages, and the actor that handles them."""

from perdure import Actor, field, message


@message
class Line:
    """One line of text to count."""

    text: str


@message
class Report:
    """Write down the words counted so far, and end the run."""


class Tally(Actor):
    """Counts words. Its annotated attributes are its state, which outlives a crash and a kill."""

    top: int
    words: dict[str, int] = field(default_factory=dict)

    async def on_receive(self, message: Line | Report) -> None:
        match message:
            case Line():
                for word in message.text.split():
                    self.words[word] = self.words.get(word, 0) + 1
            case Report():
                # the most frequent first, then by the alphabet: the same words, the same report
                ranked = sorted(self.words.items(), key=lambda item: (-item[1], item[0]))
                lines = [f"{count:4} {word}\n" for word, count in ranked]
                await self.artifact("words.txt", "".join(lines))
                self.finish({"words": sum(self.words.values()), "top": dict(ranked[: self.top])})
