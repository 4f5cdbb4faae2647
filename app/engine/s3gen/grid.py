"""The fixed grid of a segment: which tokens each vocoder call voices and which it sees.

S3Gen is not prefix-stable: the sound of a token depends on every token beside it. So the borders of
its context are a pure function of the policy and of the segment's tokens. They depend neither on
load nor on how the tokens were grouped. Knows nothing about torch or time.
"""

from dataclasses import dataclass

from app.config import VocoderSettings
from app.core import FRAMES_PER_TOKEN, LOOK_AHEAD_TOKENS, TOKENS_PER_S
from app.engine.s3gen.ladders import LADDERS, Ladder
from app.sessions.recurrence import cell_size


@dataclass(frozen=True, slots=True)
class Cell:
    """One flow call of one segment, in tokens of that segment. The call sees [context, visible) and
    voices [start, end)."""

    index: int
    context: int
    start: int
    end: int
    visible: int
    is_last: bool

    @property
    def num_tokens(self) -> int:
        return self.end - self.start

    @property
    def num_new_frames(self) -> int:
        return FRAMES_PER_TOKEN * self.num_tokens

    @property
    def num_ahead_frames(self) -> int:
        return FRAMES_PER_TOKEN * (self.visible - self.end)


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of every segment. `ladder`: their sizes; the last one is repeated."""

    ladder: Ladder
    left_tokens: int | None = None  # of the segment, seen before each cell; None: all
    prompt_tokens: int | None = None  # the last ones of the voice's reference; None: all

    @classmethod
    def from_settings(cls, settings: VocoderSettings) -> "Grid":
        is_bounded = settings.policy != "full"
        return cls(
            settings.cells or LADDERS[0],
            left_tokens=settings.left_tokens if is_bounded else None,
            prompt_tokens=round(settings.prompt_s * TOKENS_PER_S) if is_bounded else None,
        )

    @property
    def max_tokens(self) -> int | None:
        """Of one call: prompt, context, new sound, and the short rest that joins a last cell. None:
        without a bound."""
        if self.left_tokens is None or self.prompt_tokens is None:
            return None
        return self.prompt_tokens + self.left_tokens + self.longest + LOOK_AHEAD_TOKENS - 1

    @property
    def longest(self) -> int:
        return max(self.ladder)

    def size(self, index: int) -> int:
        return cell_size(self.ladder, index)

    def next_cell(self, after: Cell | None, num_tokens: int, finished: bool) -> Cell | None:
        """The cell that follows `after`; None while it cannot run.

        `num_tokens` have come so far. `finished`: no more will come. A cell runs once its
        look-ahead is there, or can never be. A rest that is shorter than a look-ahead joins the
        cell before it: that cell had to wait for the end in any case.
        """
        index, start = (0, 0) if after is None else (after.index + 1, after.end)
        if after is not None and after.is_last:
            return None
        end = start + self.size(index)
        is_last = finished and num_tokens < end + LOOK_AHEAD_TOKENS
        if is_last:
            end = visible = num_tokens
        else:
            visible = end + LOOK_AHEAD_TOKENS
            if num_tokens < visible:
                return None
        context = 0 if self.left_tokens is None else max(0, start - self.left_tokens)
        return Cell(index, context, start, end, visible, is_last)

    def prompt_start(self, num_prompt_tokens: int) -> int:
        """The first token of the voice's reference that cells see."""
        if self.prompt_tokens is None:
            return 0
        return max(0, num_prompt_tokens - self.prompt_tokens)
