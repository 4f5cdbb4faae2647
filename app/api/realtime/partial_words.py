"""The words of an utterance that two texts in a row agree on. A recogniser takes words back, and
an event of OpenAI's interface cannot. Pure."""


class PartialWords:
    def __init__(self) -> None:
        self._last: list[str] = []
        self._num_told = 0

    def news(self, text: str) -> str:
        """What is to be added to what was told, with a space before it where it is not the
        first."""
        words = text.split()
        num_agreed = 0
        for old, new in zip(self._last, words, strict=False):
            if old != new:
                break
            num_agreed += 1
        self._last = words
        if num_agreed <= self._num_told:
            return ""
        space = " " if self._num_told else ""
        news = space + " ".join(words[self._num_told : num_agreed])
        self._num_told = num_agreed
        return news
