"""One segment in the vocoder engine, from its opening to its end. Owned by the engine's thread."""

from dataclasses import dataclass, field
from functools import partial

from app.core import FinishReason, SpeechTokens
from app.engine.device.out_of_memory import run_if_it_fits
from app.engine.s3gen.decoder import CellJob, Decoder, VocoderState
from app.engine.s3gen.grid import Cell
from app.engine.s3gen.messages import OpenSegment
from app.engine.stream import SegmentKey
from app.word_marks import WordMark


@dataclass(slots=True)
class Segment:
    request: OpenSegment
    tokens: list[int] = field(default_factory=list)
    finish: FinishReason | None = None  # T3's
    state: VocoderState | None = None  # None: the segment holds no slot
    cell: Cell | None = None  # the last that ran
    upcoming: Cell | None = None  # the next, once it can run
    num_sent: int = 0  # samples
    words: dict[int, WordMark] = field(default_factory=dict)  # the newest, that have not left

    def extend(self, tokens: SpeechTokens) -> None:
        """The next tokens of T3, and what they tell."""
        self.tokens.extend(tokens.ids)
        self.words.update((mark.word, mark) for mark in tokens.words)
        self.finish = tokens.finish

    def take_words(self) -> tuple[WordMark, ...]:
        words, self.words = self.words, {}
        return tuple(words.values())

    @property
    def key(self) -> SegmentKey:
        return SegmentKey(self.request.key, self.request.segment)

    @property
    def num_voiced(self) -> int:
        return 0 if self.cell is None else self.cell.end

    @property
    def job(self) -> CellJob:
        """The next cell, of a segment that has a slot and can run."""
        assert self.state is not None
        assert self.upcoming is not None
        return CellJob(self.state, self.upcoming, self.tokens)


def start_state(decoder: Decoder, request: OpenSegment) -> VocoderState | None:
    """The state before the first cell. None: the memory did not suffice, twice. The first try frees
    what torch had kept. Raises ValueError on conditionals that the model cannot take."""
    start = partial(
        decoder.start, request.conditionals, request.seed, request.segment, request.fade_in
    )
    return run_if_it_fits(start, decoder.device) or run_if_it_fits(start, decoder.device)
