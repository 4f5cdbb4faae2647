"""pipecat-ai's speech services in a pipeline, in their default configuration: python -m
interop.clients.pipecat_tts URL SERVICE."""

import asyncio
import sys

from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.deepgram.tts import DeepgramTTSService
from pipecat.services.elevenlabs.tts import ElevenLabsTTSService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.services.tts_service import TTSService
from pipecat.workers.runner import WorkerRunner

from interop.orders import NO_END, Turn, run

RATE = 24_000
CARTESIA_VOICE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"
ELEVENLABS_VOICE = "21m00Tcm4TlvDq8ikWAM"
QUIET_S = 0.5  # after the last stop frame nothing more comes for so long
SILENT_S = 8.0  # Pipecat itself gives a context up after 3 s without sound
GIVE_UP_S = 30.0


def service_of(url: str, name: str) -> TTSService:
    address = url.replace("http", "ws")
    match name:
        case "openai":
            return OpenAITTSService(api_key="interop", base_url=f"{url}/v1")
        case "cartesia":
            return CartesiaTTSService(
                api_key="interop",
                url=f"{address}/tts/websocket",
                settings=CartesiaTTSService.Settings(voice=CARTESIA_VOICE),
            )
        case "elevenlabs":
            return ElevenLabsTTSService(
                api_key="interop",
                url=address,
                settings=ElevenLabsTTSService.Settings(voice=ELEVENLABS_VOICE),
            )
        case "deepgram":
            return DeepgramTTSService(api_key="interop", base_url=address)
    raise ValueError(f"no service is called {name}")


class Ear(FrameProcessor):
    """Hears what the service gives, downstream or, for errors, upstream."""

    def __init__(self) -> None:
        super().__init__()
        self.turn: Turn | None = None
        self.num_open = 0
        self.changed_s = 0.0
        self.has_begun = False

    def begin(self, turn: Turn) -> None:
        self.turn, self.num_open, self.has_begun = turn, 0, False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if self.turn is not None:
            self._hear(self.turn, frame)
        await self.push_frame(frame, direction)

    def _hear(self, turn: Turn, frame: Frame) -> None:
        match frame:
            case TTSAudioRawFrame():
                turn.sound(len(frame.audio) // 2, frame.sample_rate)
            case TTSTextFrame():
                turn.words([frame.text])
            case TTSStartedFrame():
                self.has_begun = True
                self.num_open += 1
            case TTSStoppedFrame():
                self.num_open -= 1
            case ErrorFrame():
                turn.heard.error = turn.heard.error or frame.error
            case _:
                return
        self.changed_s = asyncio.get_running_loop().time()


class Pipecat:
    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name

    async def open(self) -> None:
        self._source, self._sink = Ear(), Ear()
        pipeline = Pipeline([self._source, service_of(self._url, self._name), self._sink])
        self._worker = PipelineWorker(
            pipeline,
            cancel_on_idle_timeout=False,
            params=PipelineParams(audio_out_sample_rate=RATE),
        )
        started = asyncio.Event()

        @self._worker.event_handler("on_pipeline_started")
        async def on_started(worker: PipelineWorker, frame: Frame) -> None:
            started.set()

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self._worker)
        self._running = asyncio.ensure_future(runner.run())
        await started.wait()

    async def take(self, turn: Turn) -> None:
        self._source.begin(turn)
        self._sink.begin(turn)
        texts = [LLMTextFrame(f"{sentence} ") for sentence in turn.sentences]
        await self._worker.queue_frames(
            [LLMFullResponseStartFrame(), *texts, LLMFullResponseEndFrame()]
        )
        async with asyncio.timeout(GIVE_UP_S + 10 * len(turn.sentences)):
            while not (turn.is_over or self._has_ended() or self._is_silent(turn)):  # noqa: ASYNC110
                await asyncio.sleep(0.005)  # frames have no event to wait for
        if turn.is_over:
            turn.interrupted()
            await self._worker.queue_frame(InterruptionFrame())
            await asyncio.sleep(QUIET_S)
        elif not self._has_ended():
            turn.heard.error = turn.heard.error or NO_END
        self._source.turn = self._sink.turn = None

    def _is_silent(self, turn: Turn) -> bool:
        quiet_s = asyncio.get_running_loop().time() - self._sink.changed_s
        return turn.heard.first_sound_s is not None and quiet_s >= SILENT_S

    def _has_ended(self) -> bool:
        quiet_s = asyncio.get_running_loop().time() - self._sink.changed_s
        return self._sink.has_begun and self._sink.num_open <= 0 and quiet_s >= QUIET_S

    async def close(self) -> None:
        await self._worker.queue_frame(CancelFrame())
        await asyncio.wait({self._running}, timeout=5)


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    run(Pipecat(sys.argv[1], sys.argv[2]))
