"""The one account of what a session's listener was given, on one clock.

The events of a stream, the session report, the metrics and the log all read its marks. Sound counts
as sent when the listener asks for the next chunk: by then the transport has taken it.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from app.core import SAMPLE_RATE, AudioChunk, Costs, FinishReason, Mark, SynthesisRequest
from app.errors import ReaderStalled, ServeError, SynthesisFailed
from app.sessions.pacing import Playback
from app.sessions.table import SessionEnd
from app.sessions.timeline import merged
from app.spoken_words import Transcript, WordAccount
from app.word_marks import WordTime


class Delivery:
    """Of one session. `now` is the machine's monotonic clock, as for every Mark."""

    def __init__(
        self,
        request: SynthesisRequest,
        now: Callable[[], float],
        words: WordAccount | None = None,
    ) -> None:
        self._words = words
        self.started_s = now()
        self.prepared_s: float | None = None  # when the voice was ready
        self.finish: FinishReason | None = None
        self.playing_s = 0.0  # how long the sound that was sent plays; 0 where it is not paced
        self._request = request
        self._now = now
        self._playback = Playback(now)
        self._num_samples = 0
        self._num_unsent = 0  # samples that the listener was given and has not sent yet
        self._unsent_s = 0.0  # the same as they are heard
        self._left_s: float | None = None  # when the listener was seen to leave
        self._prebuffer_s = 0.0  # how long the listener waits with the chunk
        self._num_tokens = 0
        self._segment = 0
        self._num_pauses = 0  # of the request's, in the chunks so far
        self._marks = {Mark.RECEIVED: request.received_s}
        self._costs: Costs = {}
        self._untold: tuple[WordTime, ...] = ()  # of a chunk without sound, which is not passed on

    @property
    def is_heard(self) -> bool:
        return self._num_samples > 0

    def claimed(self) -> None:
        self._marks[Mark.CLAIMED] = self._now()

    def prepared(self) -> None:
        self.prepared_s = self._now()

    def add(self, chunk: AudioChunk) -> None:
        """The listener is about to be given the chunk."""
        self._num_samples += len(chunk.pcm)
        self._num_unsent = len(chunk.pcm)
        self._unsent_s = self._heard_s(chunk)
        self._num_pauses = max(self._num_pauses, chunk.segment + 1)
        self._prebuffer_s = chunk.prebuffer_s or 0.0
        self._num_tokens = max(self._num_tokens, chunk.num_tokens)
        self._segment = chunk.segment
        self._marks = merged(self._marks, chunk.marks)
        self._costs = self._costs or chunk.costs
        self._untold = () if len(chunk.pcm) else chunk.words
        self.finish = chunk.finish

    def sent(self) -> None:
        """The listener has sent the last chunk."""
        if self._num_unsent:
            now = self._now()
            self._marks.setdefault(Mark.FIRST_BYTE, now)
            self._marks[Mark.LAST_BYTE] = now
            self._playback.taken(self._unsent_s, self._prebuffer_s)
            self._prebuffer_s = 0.0
            self.playing_s += self._unsent_s if self._request.is_paced else 0.0
            self._num_unsent = 0

    def abandoned(self) -> None:
        """The last chunk will not be sent."""
        self._num_samples -= self._num_unsent
        self._num_unsent = 0

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Notes when the listener leaves. The stages hear of that next, and may stop before the
        session has ended here."""
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            self._left_s = self._now()
            raise

    def wait_s(self, chunk: AudioChunk, ahead_s: float | None) -> float:
        """How long the chunk of a paced session must wait, as in `Playback.wait_s`."""
        if ahead_s is None or not self._request.is_paced:
            return 0.0
        return self._playback.wait_s(self._heard_s(chunk), ahead_s)

    def _heard_s(self, chunk: AudioChunk) -> float:
        """How long the next chunk plays, with the pauses before it."""
        pauses = self._request.pauses_s[self._num_pauses : chunk.segment + 1]
        return (len(chunk.pcm) / SAMPLE_RATE + sum(pauses)) / self._request.speed

    def last_chunk(self, finish: FinishReason) -> AudioChunk:
        """The account for the listener: no sound, and the marks so far."""
        return AudioChunk(
            self._request.key,
            self._segment,
            self._num_samples,
            np.zeros(0, np.float32),
            self._num_tokens,
            finish,
            dict(self._marks),
            words=self._untold,
        )

    def cancel(self) -> None:
        """The session was stopped, and its end is not told yet."""
        self.finish = FinishReason.CANCELLED

    def end(self, stop_cause: str | None, error: Exception | None) -> SessionEnd:
        """`stop_cause`: why the session was stopped; None: it was not. The listener has left if
        there was no stop, error or finish."""
        now = self._now()
        is_stalled = stop_cause == ReaderStalled.code
        if is_stalled:
            self.abandoned()
            self.cancel()
        elif self.finish is not None:
            self.sent()
        elif error is None and stop_cause is None:
            self._marks[Mark.DISCONNECTED] = now if self._left_s is None else self._left_s
        reason = self.finish or (FinishReason.CANCELLED if error is None else FinishReason.ERROR)
        if reason is FinishReason.CANCELLED:
            self._marks[Mark.AUDIO_STOPPED] = now
        return SessionEnd(
            reason,
            self._num_samples / SAMPLE_RATE,
            self._num_tokens,
            self._marks,
            self._cause(stop_cause, error),
            self._request.is_paced,
            self._playback.num_underruns,
            self._playback.stalled_s,
            self._costs,
            self._transcript(),
        )

    def _transcript(self) -> Transcript | None:
        if self._words is None:
            return None
        is_end = self.finish is not None and self.finish.is_complete
        return self._words.transcript(self._num_samples, is_end=is_end)

    def _cause(self, stop_cause: str | None, error: Exception | None) -> str:
        if error is not None:
            return error.code if isinstance(error, ServeError) else ServeError.code
        if self.finish is FinishReason.ERROR:
            return SynthesisFailed.code
        if stop_cause is not None and self.finish in (None, FinishReason.CANCELLED):
            return stop_cause
        if self.finish is FinishReason.CANCELLED:
            return "cancel"
        return "disconnect" if self.finish is None else "finished"
