"""When the words of one sequence are said, by the path of its tokens through the text.

Pure. Knows nothing about attention or sound.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from app.engine.checkpoint.text_origins import WordIds
from app.word_marks import LEAST_TOKENS, WordMark

_LEFT_OUT = 1  # ids at the end of a word that the path may miss
FALL = 3  # ids: a path that looks at a word again goes back by fewer
JUMP = 9  # ids in JUMP_TOKENS, and
JUMP_TOKENS = 3  # 120 ms: nobody reads as fast. The path can go on by 3 ids in a token


class SpokenWords:
    """Takes the tokens one by one; gives what is new about the words."""

    def __init__(self, words: Sequence[WordIds], offset_tokens: float) -> None:
        """`offset_tokens`: how long before its sound a text id is reached."""
        self._words = words
        self._offset = offset_tokens
        self._begun: list[WordMark] = []
        self._num_ended = 0
        self._told: list[WordMark] = []  # the marks as they were given last
        self._farthest = -1  # text id
        self.num_tail = 0  # tokens since the last word's end
        self.num_still = 0  # tokens since the path reached its farthest id, where text is left
        self.most_still = 0  # the longest of these
        self.num_fallen = 0  # tokens that lie FALL ids or more before the farthest: a repetition
        self.num_jumped = 0  # tokens at which JUMP_TOKENS have passed JUMP ids or more: a skip
        self._newest = deque([-1], JUMP_TOKENS)  # text ids of the newest tokens

    @property
    def num_begun(self) -> int:
        return len(self._begun)

    def reach(self, token: int, text_id: int) -> None:
        """Token number `token` of the segment says text id number `text_id`. A path may fall back
        by a few ids; a word that has begun stays begun."""
        self._measure(text_id)
        at = max(0.0, token + self._offset)
        while self.num_begun < len(self._words) and self._words[self.num_begun].first <= text_id:
            self._end(self.num_begun, at)
            before = self._begun[-1].end_token if self._begun else None
            self._begun.append(WordMark(self.num_begun, max(at, before or 0.0)))
        while self._num_ended < self.num_begun and self._words[self._num_ended].end <= text_id:
            self._end(self._num_ended + 1, at)

    def finish(self, num_tokens: int) -> None:
        """The segment has ended after this number of tokens, and its words with it. Words that were
        not reached get no mark."""
        self._end(self.num_begun, num_tokens)
        least, latest = min(LEAST_TOKENS, num_tokens / max(1, self.num_begun)), float(num_tokens)
        for number in range(self.num_begun - 1, -1, -1):
            mark = self._begun[number]
            end = min(mark.end_token or latest, latest)
            latest = max(0.0, min(mark.start_token, end - least))
            self._begun[number] = replace(mark, start_token=latest, end_token=end)

    @property
    def num_skipped(self) -> int:
        """Words whose end was not reached, of a segment that has ended by itself."""
        return sum(word.end - 1 > self._farthest + _LEFT_OUT for word in self._words)

    def _measure(self, text_id: int) -> None:
        if self._farthest >= self._words[-1].end:
            self.num_tail += 1
        elif text_id > self._farthest:
            self.num_still = 0
        elif self._farthest >= 0:
            self.num_still += 1
            self.most_still = max(self.most_still, self.num_still)
        self.num_fallen += text_id + FALL <= self._farthest
        self.num_jumped += text_id - self._newest[0] >= JUMP
        self._newest.append(text_id)
        self._farthest = max(self._farthest, text_id)

    def news(self) -> tuple[WordMark, ...]:
        """The marks that are new or have changed since the last call, in order."""
        told = [*self._told, *[None] * (self.num_begun - len(self._told))]
        news = [new for new, old in zip(self._begun, told, strict=True) if new != old]
        self._told = list(self._begun)
        return tuple(news)

    def _end(self, num_words: int, at: float) -> None:
        """The first `num_words` words have ended by now."""
        for number in range(self._num_ended, num_words):
            mark = self._begun[number]
            self._begun[number] = replace(mark, end_token=max(at, mark.start_token + LEAST_TOKENS))
        self._num_ended = max(self._num_ended, num_words)
