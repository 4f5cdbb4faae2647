"""A synthesizer whose sessions a test holds at a named point of their way, and stops there.

A `Gate` replaces sleeps: the session that comes to the point sets `Gate.reached` and waits for
`Gate.open`. A point on an engine's thread blocks that thread; a point on the event loop blocks the
session alone. The engines are held by their hooks (`on_step`, `on_stage`), the rest of the way by
public methods.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence as Seq
from contextlib import aclosing, suppress

from app.config import ServeArgs, VocoderSettings
from app.core import FinishReason, SamplingParams, SessionKey, SynthesisRequest, VoiceRef
from app.engine.loop import EngineLoop
from app.engine.pipeline import SpeechPipeline
from app.engine.stages.card import model_card
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from app.engine.synthesizer import LocalRegistry, LocalSynthesizer
from app.engine.t3.runner import Runner
from app.engine.t3.sequence import Sequence
from app.t3_settings import T3Settings
from tests.support.eventually import eventually

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
    "hift",
    "watermark",
    "first send",
    "last send",
    "after done",
)
PROBE = SessionKey("test", "probe")
WAIT_S = 30.0
LOOK_EVERY_S = 0.002  # not 0: a loop that only polls takes the core that a SCHED_IDLE engine needs


class Gate:
    """Armed for one point at a time. Holds the first session that comes there, then is open."""

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
            assert self._open.wait(WAIT_S), f"the gate at {point} was not opened in {WAIT_S:g} s"

    async def hold_here(self, point: str) -> None:
        if self._point == point:
            await asyncio.to_thread(self.hold, point)

    async def until_reached(self) -> None:
        reached = await asyncio.to_thread(self.reached.wait, WAIT_S)
        assert reached, f"no session came to the gate in {WAIT_S:g} s"


class Raced:
    """One process with one T3 slot. Counts the slots it frees and the sessions it finishes."""

    def __init__(self, monkeypatch) -> None:
        self.gate = gate = Gate()
        self.released: Counter[int] = Counter()  # T3 slots
        self.admitted = 0
        self.wait_s = WAIT_S
        self.opened: set[SessionKey] = set()  # sessions whose sequence T3's loop has been given
        self.ends: list[tuple[SessionKey, FinishReason]] = []
        self._patch_methods(monkeypatch)
        args = ServeArgs(
            model="embedded-babble",
            device="cpu",
            t3=T3Settings(slots=1, first_group=NUM_TOKENS),
            vocoder=VocoderSettings(euler_steps=1, prompt_s=0.5),  # the sound is not judged
        )

        class HeldStage(T3Stage):
            async def tokens(self, request):
                async for group in super().tokens(request):
                    await gate.hold_here("hand-over")
                    yield group

        t3 = HeldStage.open(args, "cpu", on_step=self._on_step)
        vocoder = VocoderStage.open(args, "cpu", on_stage=gate.hold)
        self.stages = {"t3": t3, "vocoder": vocoder}
        self.synthesizer = LocalSynthesizer(model_card(args), t3, vocoder, args)

    def _patch_methods(self, monkeypatch) -> None:
        speak, claim, finish = SpeechPipeline.speak, LocalRegistry.claim, LocalRegistry.finish
        open_segment, release = EngineLoop.open, Runner.release

        async def held_speak(pipeline, request):
            await self.gate.hold_here("conditioning")
            async with aclosing(speak(pipeline, request)) as chunks:
                async for chunk in chunks:
                    yield chunk

        async def held_claim(registry, key, work):
            granted = await claim(registry, key, work)
            await self.gate.hold_here("claim")
            return granted

        def counted_finish(registry, key, end):
            self.ends.append((key, end.reason))
            finish(registry, key, end)

        def noted_open(loop, key, segment, first):
            stream = open_segment(loop, key, segment, first)
            if isinstance(first, Sequence):
                self.opened.add(key)
            return stream

        def counted_release(runner, slot):
            self.released[slot] += 1
            release(runner, slot)

        monkeypatch.setattr(SpeechPipeline, "speak", held_speak)
        monkeypatch.setattr(LocalRegistry, "claim", held_claim)
        monkeypatch.setattr(LocalRegistry, "finish", counted_finish)
        monkeypatch.setattr(EngineLoop, "open", noted_open)
        monkeypatch.setattr(Runner, "release", counted_release)

    def _on_step(self, rows: Seq[Sequence]) -> None:
        for row in rows:
            if not row.tokens:
                self.admitted += 1
                self.gate.hold("prefill")
            elif len(row.tokens) == DECODE_AT:
                self.gate.hold("decode")
            elif len(row.tokens) == row.request.sampling.max_tokens - 1:
                self.gate.hold("last decode")

    def reset(self) -> None:
        """Count from zero."""
        self.ends.clear()
        self.released.clear()
        self.opened.clear()
        self.admitted = 0

    def request(self, name: str, num_tokens: int = NUM_TOKENS) -> SynthesisRequest:
        params = SamplingParams(seed=3, max_tokens=num_tokens, ignore_eos=True)
        return SynthesisRequest(
            SessionKey("default", name), ("Hello there.",), VoiceRef("ada"), params
        )

    async def until_idle(self) -> None:
        """Waits until nothing is live in either engine. Then every slot must be free."""
        for name, stage in self.stages.items():

            async def is_idle(stage=stage) -> bool:
                for _ in range(2):  # the stats are as of the loop's turn before the second
                    await stage.cancel(PROBE)
                stats = stage.stats()
                return stats.live == stats.waiting == 0

            await eventually(
                is_idle, self.wait_s, f"the {name} engine is idle", every_s=LOOK_EVERY_S
            )
            assert stage.failure is None, name
            stats = stage.stats()
            assert stats.slots_free == stats.slots_total, (name, stats)
            stage.engine.check_integrity()  # the engine's thread waits for a message

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
        async with aclosing(self.raced.synthesizer.speak(self.request)) as chunks:
            async for chunk in chunks:
                self.num_samples += len(chunk.pcm)
                if chunk.finish is not None:
                    self.finishes.append(chunk.finish)
                point = "last send" if chunk.finish else "first send"
                if point == self._hold_at:
                    await self.raced.gate.hold_here(point)

    def leave(self) -> None:
        self._task.cancel()

    async def ended(self) -> None:
        with suppress(asyncio.CancelledError):
            async with asyncio.timeout(self.raced.wait_s):
                await self._task
