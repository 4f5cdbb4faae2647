"""A synthesizer whose sessions a test holds at a named point of their way, and stops there.

Barriers instead of sleeps: `Gate.reached` is set by whoever comes to the point, and whoever came
waits for `Gate.open`. Points on the engines' threads block the thread, points on the event loop
only the session.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence as Rows
from contextlib import suppress

from app.config import ServeArgs, T3Settings, VocoderSettings
from app.core import FinishReason, SamplingParams, SessionKey, StageStats, SynthesisRequest
from app.engine.loop import Stopped
from app.engine.s3gen.chunked import ChunkedFlow
from app.engine.s3gen.hift_generator import HiftGenerator
from app.engine.stages.card import model_card
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from app.engine.synthesizer import LocalSynthesizer
from app.engine.t3.sequence import Sequence
from app.engine.watermark import Watermark

NUM_TOKENS = 8
NUM_TOKENS_OF_TWO_CHUNKS = 20
DECODE_AT = 3  # tokens
POINTS = (
    "unknown",
    "claim",
    "conditioning",
    "queued",
    "prefill",
    "decode",
    "last decode",
    "hand-over",
    "flow",
    "vocoder",
    "watermark",
    "first send",
    "last send",
    "after done",
)
PROBE = SessionKey("test", "probe")
WAIT_S = 30


class Gate:
    """Armed for one point at a time; lets one session through to be held, then is open."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._point: str | None = None
        self._open = threading.Event()

    def arm(self, point: str) -> None:
        self.reached.clear()
        self._open.clear()
        self._point = point

    def open(self) -> None:
        self._point = None
        self._open.set()

    def hold(self, point: str) -> None:
        if self._point == point:
            self._point = None
            self.reached.set()
            assert self._open.wait(WAIT_S), f"held at {point} for ever"

    async def hold_here(self, point: str) -> None:
        if self._point == point:
            await asyncio.to_thread(self.hold, point)


class Raced:
    """One process with one T3 slot; counts what it frees and what it finishes."""

    def __init__(self, monkeypatch) -> None:
        self.gate = gate = Gate()
        self.released: Counter[int] = Counter()  # T3 slots
        self.admitted = 0
        self.ends: list[tuple[SessionKey, FinishReason]] = []
        args = ServeArgs(
            model="embedded-babble",
            device="cpu",
            t3=T3Settings(slots=1, first_group=NUM_TOKENS),
            vocoder=VocoderSettings(euler_steps=1, prompt_s=0.5),  # its sound is not judged
        )

        class HeldStage(T3Stage):
            async def tokens(self, request):
                async for group in super().tokens(request):
                    await gate.hold_here("hand-over")
                    yield group

        t3 = HeldStage.open(args, "cpu", on_step=self._on_step)
        vocoder = VocoderStage.open(args, "cpu")
        for owner, name, point in (
            (ChunkedFlow, "mels", "flow"),
            (HiftGenerator, "decode", "vocoder"),
            (Watermark, "mark", "watermark"),
        ):
            monkeypatch.setattr(owner, name, self._held(getattr(owner, name), point))
        self.synthesizer = LocalSynthesizer(model_card(args), t3, vocoder, args)
        self._hook_registry()
        conditionals = vocoder._conditionals

        async def held_conditionals(voice: str):
            await gate.hold_here("conditioning")
            return await conditionals(voice)

        self.synthesizer._pipeline._conditionals = held_conditionals
        self.loops = {"t3": t3._loop, "vocoder": vocoder._loop}
        self.books: dict[str, StageStats] = {}
        self._probe("t3", t3.engine)
        self._probe("vocoder", vocoder._engine)
        release = t3.engine._runner.release

        def counted_release(slot: int) -> None:
            self.released[slot] += 1
            release(slot)

        t3.engine._runner.release = counted_release

    def _hook_registry(self) -> None:
        registry = self.synthesizer._registry
        claim, finish = registry.claim, registry.finish

        async def held_claim(key, predicted_s):
            granted = await claim(key, predicted_s)
            await self.gate.hold_here("claim")
            return granted

        def counted_finish(key, end):
            self.ends.append((key, end.reason))
            finish(key, end)

        registry.claim, registry.finish = held_claim, counted_finish

    def _on_step(self, rows: Rows[Sequence]) -> None:
        for row in rows:
            if not row.tokens:
                self.admitted += 1
                self.gate.hold("prefill")
            elif len(row.tokens) == DECODE_AT:
                self.gate.hold("decode")
            elif len(row.tokens) == row.request.sampling.max_tokens - 1:
                self.gate.hold("last decode")

    def _held(self, function, point: str):
        def held(*args):
            self.gate.hold(point)
            return function(*args)

        return held

    def request(self, name: str, num_tokens: int = NUM_TOKENS) -> SynthesisRequest:
        params = SamplingParams(seed=3, max_tokens=num_tokens, ignore_eos=True)
        return SynthesisRequest(SessionKey("default", name), ("Hello there.",), "ada", params)

    def _probe(self, name: str, engine) -> None:
        """A cancel of PROBE checks the engine's books, on its own thread and between two steps."""
        cancel = engine.cancel

        def probed(key, segment):
            if key != PROBE:
                return cancel(key, segment)
            engine.check_integrity()
            self.books[name] = engine.stats()
            return Stopped(live=False, num_tokens=0)

        engine.cancel = probed

    async def until_idle(self) -> None:
        """Nothing is live in either engine; then every slot must be free."""
        for name, loop in self.loops.items():
            while True:
                self.books.pop(name, None)
                await loop.cancel(PROBE)
                assert name in self.books, "the books are wrong; the log has the fault"
                stats = self.books[name]
                if stats.live == stats.waiting == 0:
                    break
                await asyncio.sleep(0)
            assert stats.slots_free == stats.slots_total, (name, stats)

    def close(self) -> None:
        self.gate.open()
        self.synthesizer.close()


class Listener:
    """Listens to one session as the interface does, and can leave."""

    def __init__(self, raced: Raced, name: str, hold_at: str | None = None) -> None:
        self.raced = raced
        needs_two = hold_at == "first send"
        self.request = raced.request(name, NUM_TOKENS_OF_TWO_CHUNKS if needs_two else NUM_TOKENS)
        self.finishes: list[FinishReason] = []
        self.num_samples = 0
        self._hold_at = hold_at
        self._task = asyncio.ensure_future(self._listen())

    async def _listen(self) -> None:
        chunks = self.raced.synthesizer.speak(self.request)
        try:
            async for chunk in chunks:
                self.num_samples += len(chunk.pcm)
                if chunk.finish is not None:
                    self.finishes.append(chunk.finish)
                point = "last send" if chunk.finish else "first send"
                if point == self._hold_at:
                    await self.raced.gate.hold_here(point)
        finally:
            await chunks.aclose()

    def leave(self) -> None:
        self._task.cancel()

    async def ended(self) -> None:
        with suppress(asyncio.CancelledError):
            await self._task
