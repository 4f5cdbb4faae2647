"""pipecat-ai's realtime service, unmodified, in a conversation: what it hears of a server.
python -m interop.checks.pipecat_realtime URL FOLDER TURNS; prints one JSON object last.

FOLDER has utterances as raw PCM at 24 kHz. Every second turn interrupts the reply before it. The
service itself truncates then. In a session of its own, a question in writing is answered with the
help of a function.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    CancelFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
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
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime.events import (
    AudioConfiguration,
    AudioInput,
    InputAudioTranscription,
    SessionProperties,
)
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

from interop.checks.microphone import RATE, REPLY_WITHIN_S, Microphone, spoken
from interop.checks.turns import ReplySound, hold_turns
from interop.checks.weather import QUESTION, RESULT

WEATHER = FunctionSchema("weather", "The weather of a town.", {"town": {"type": "string"}}, [])


class Ear(FrameProcessor):
    """Hears what the service gives, downstream or upstream."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []
        self.transcripts: list[str] = []
        self.noticed_s: float | None = None
        self.reply = ReplySound()
        self.text = ""
        self.began = asyncio.Event()
        self.ended = asyncio.Event()

    def next_turn(self) -> None:
        self.began.clear()
        self.ended.clear()
        self.noticed_s, self.text = None, ""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case TTSAudioRawFrame():
                self.reply.heard(len(frame.audio) / 2 / frame.sample_rate)
            case TTSStartedFrame():  # the reply before it has ended
                self.reply = ReplySound()
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
                self.reply.interrupted()
            case ErrorFrame():
                self.errors.append(frame.error)
        await self.push_frame(frame, direction)


def service_of(url: str) -> OpenAIRealtimeLLMService:
    session = SessionProperties(
        audio=AudioConfiguration(input=AudioInput(transcription=InputAudioTranscription()))
    )
    return OpenAIRealtimeLLMService(
        api_key="interop",
        base_url=f"{url.replace('http', 'ws')}/v1/realtime",
        settings=OpenAIRealtimeLLMService.Settings(session_properties=session),
    )


@asynccontextmanager
async def running(*processors: FrameProcessor) -> AsyncIterator[PipelineWorker]:
    """A pipeline that has started."""
    worker = PipelineWorker(
        Pipeline(list(processors)),
        cancel_on_idle_timeout=False,
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(worker: PipelineWorker, frame: Frame) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    work = asyncio.ensure_future(runner.run())
    await started.wait()
    try:
        yield worker
    finally:
        await worker.queue_frame(CancelFrame())
        await asyncio.wait({work}, timeout=5)


async def ask(url: str) -> dict[str, object]:
    """A session of its own, with a function."""
    arguments: list[str] = []

    async def weather(params: FunctionCallParams) -> None:
        arguments.append(json.dumps(params.arguments))
        await params.result_callback(RESULT)

    service, sink = service_of(url), Ear()
    service.register_function("weather", weather)
    context = LLMContext([{"role": "user", "content": QUESTION}], ToolsSchema([WEATHER]))
    user, assistant = LLMContextAggregatorPair(context)
    async with running(user, service, sink, assistant) as worker:
        await worker.queue_frame(LLMContextFrame(context))
        async with asyncio.timeout(REPLY_WITHIN_S):
            while not sink.text:  # the response that calls the function says nothing
                sink.ended.clear()
                await sink.ended.wait()
    return {"tool_arguments": "".join(arguments), "tool_reply": sink.text, "errors": sink.errors}


async def converse(url: str, utterances: list[bytes], num_turns: int) -> dict[str, object]:
    source, sink = Ear(), Ear()
    async with running(source, service_of(url), sink) as worker:

        async def push(content: bytes) -> None:
            await worker.queue_frame(InputAudioRawFrame(content, RATE, 1))

        microphone = Microphone(push)
        sending = asyncio.ensure_future(microphone.run())
        turns = await hold_turns(sink, microphone, utterances, num_turns)
        sending.cancel()
    return {
        "client": "Pipecat realtime",
        "turns": turns,
        "transcripts": source.transcripts,
        "last_reply": sink.text,
        "last_sound_s": round(sink.reply.sound_s, 2),
        "errors": source.errors + sink.errors,
    }


async def main(url: str, utterances: list[bytes], num_turns: int) -> dict[str, object]:
    conversation, asked = await converse(url, utterances, num_turns), await ask(url)
    return {**conversation, **asked, "errors": [*conversation["errors"], *asked["errors"]]}


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    told = asyncio.run(main(sys.argv[1], spoken(Path(sys.argv[2])), int(sys.argv[3])))
    sys.stdout.write(json.dumps(told) + "\n")
