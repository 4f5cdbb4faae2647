"""pipecat-ai's realtime service, unmodified, in a conversation: what it hears of a server.
python -m interop.checks.pipecat_realtime URL FOLDER TURNS; prints one JSON object last.

FOLDER has utterances as raw PCM at 24 kHz. Every second turn interrupts the reply before it. The
service itself truncates then.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    ProposedUserStartedSpeakingFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime.events import (
    AudioConfiguration,
    AudioInput,
    InputAudioTranscription,
    SessionProperties,
)
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

from interop.checks.microphone import INTERRUPT_AFTER_S, RATE, REPLY_WITHIN_S, Microphone, spoken


class Ear(FrameProcessor):
    """Hears what the service gives, downstream or upstream."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []
        self.transcripts: list[str] = []
        self.noticed_s: float | None = None
        self.sound_s = 0.0
        self.text = ""
        self.began = asyncio.Event()
        self.ended = asyncio.Event()

    def next_turn(self) -> None:
        self.began.clear()
        self.ended.clear()
        self.noticed_s, self.sound_s, self.text = None, 0.0, ""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case TTSAudioRawFrame():
                self.sound_s += len(frame.audio) / 2 / frame.sample_rate
            case TTSStartedFrame():  # the reply before it has ended
                self.ended.clear()
                self.began.set()
            case LLMFullResponseEndFrame():
                self.ended.set()
            case TTSTextFrame():
                self.text += frame.text
            case LLMFullResponseStartFrame():
                self.text = ""
            case TranscriptionFrame():
                self.transcripts.append(frame.text)
            case ProposedUserStartedSpeakingFrame():
                self.noticed_s = self.noticed_s or time.monotonic()
            case ErrorFrame():
                self.errors.append(frame.error)
        await self.push_frame(frame, direction)


async def main(url: str, utterances: list[bytes], num_turns: int) -> dict[str, object]:
    session = SessionProperties(
        audio=AudioConfiguration(input=AudioInput(transcription=InputAudioTranscription()))
    )
    service = OpenAIRealtimeLLMService(
        api_key="interop",
        base_url=f"{url.replace('http', 'ws')}/v1/realtime",
        settings=OpenAIRealtimeLLMService.Settings(session_properties=session),
    )
    source, sink = Ear(), Ear()
    worker = PipelineWorker(
        Pipeline([source, service, sink]),
        cancel_on_idle_timeout=False,
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(worker: PipelineWorker, frame: Frame) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.ensure_future(runner.run())
    await started.wait()

    async def push(content: bytes) -> None:
        await worker.queue_frame(InputAudioRawFrame(content, RATE, 1))

    microphone = Microphone(push)
    sending = asyncio.ensure_future(microphone.run())
    turns = []
    await asyncio.sleep(1.0)
    for number in range(num_turns):
        is_interruption = number % 2 == 1
        if is_interruption:
            await asyncio.sleep(INTERRUPT_AFTER_S)
        elif number:
            await asyncio.wait_for(sink.ended.wait(), REPLY_WITHIN_S)
        before_s = sink.sound_s
        sink.next_turn()
        began_s = microphone.say(utterances[number % len(utterances)])
        await asyncio.wait_for(sink.began.wait(), REPLY_WITHIN_S)
        noticed_s = sink.noticed_s
        turns.append(
            {
                "is_interruption": is_interruption,
                "noticed_ms": None if noticed_s is None else round((noticed_s - began_s) * 1e3),
                "cut_at_s": round(before_s, 2) if is_interruption else None,
            }
        )
    await asyncio.wait_for(sink.ended.wait(), REPLY_WITHIN_S)
    sending.cancel()
    await worker.queue_frame(CancelFrame())
    await asyncio.wait({running}, timeout=5)
    return {
        "client": "Pipecat realtime",
        "turns": turns,
        "transcripts": source.transcripts,
        "last_reply": sink.text,
        "last_sound_s": round(sink.sound_s, 2),
        "errors": source.errors + sink.errors,
    }


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    told = asyncio.run(main(sys.argv[1], spoken(Path(sys.argv[2])), int(sys.argv[3])))
    sys.stdout.write(json.dumps(told) + "\n")
