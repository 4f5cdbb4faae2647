"""A voice agent in Pipecat that speaks with this server, without an account of any vendor.

    make serve                                                    # in another terminal
    uv run --with "pipecat-ai[cartesia]==1.14.0" examples/pipecat_agent.py

The speech service is Pipecat's own for Cartesia; its address is the only change. A script stands
for the language model and for the user, who interrupts the second answer. What the user would hear
is written to agent.wav. In an agent of yours, transport.input(), a recogniser and a language model
take the place of the script, and transport.output() that of the listener.
"""

import argparse
import asyncio
import sys
import wave

from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.workers.runner import WorkerRunner

RATE = 24_000
TOKEN_S = 0.03  # between two words of the language model
ANSWERS = {
    "Hello.": "Hello! It is good to hear you. What can I do for you today?",
    "Tell me a story.": "Once upon a time there was a server that spoke. It spoke all day, and it "
    "spoke all night. Nobody had ever told it how to stop, until one day somebody did.",
    "Stop, thank you.": "Of course. Good bye!",
}


class ScriptedModel(FrameProcessor):
    """Answers what the user says, word by word."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, TranscriptionFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        for word in ANSWERS[frame.text].split():
            await self.push_frame(LLMTextFrame(f"{word} "))
            await asyncio.sleep(TOKEN_S)
        await self.push_frame(LLMFullResponseEndFrame())


class Listener(FrameProcessor):
    """Plays what comes, and throws away what was not played when it is interrupted."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = bytearray()
        self._ends_s = 0.0  # when all sound so far has been played
        self._ended = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        now = asyncio.get_running_loop().time()
        if isinstance(frame, TTSAudioRawFrame):
            self.heard += frame.audio
            self._ends_s = max(self._ends_s, now) + len(frame.audio) / 2 / RATE
        elif isinstance(frame, TTSTextFrame):
            say(f"  agent: {frame.text}")
        elif isinstance(frame, TTSStoppedFrame):
            self._ended.set()
        elif isinstance(frame, InterruptionFrame):
            left = round(max(0.0, self._ends_s - now) * RATE) * 2
            del self.heard[len(self.heard) - left :]
            self._ends_s = now
        await self.push_frame(frame, direction)

    async def until_played(self) -> None:
        """Returns once the next answer has ended and has been played."""
        self._ended.clear()
        await self._ended.wait()
        await asyncio.sleep(self._ends_s - asyncio.get_running_loop().time())


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def converse(url: str, voice: str) -> bytes:
    speech = CartesiaTTSService(
        api_key="the key of this server, if it has keys",
        url=f"{url.replace('http', 'ws')}/tts/websocket",
        settings=CartesiaTTSService.Settings(voice=voice),
    )
    listener = Listener()
    worker = PipelineWorker(
        Pipeline([ScriptedModel(), speech, listener]),
        cancel_on_idle_timeout=False,
        params=PipelineParams(audio_out_sample_rate=RATE),
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(worker: PipelineWorker, frame: Frame) -> None:
        started.set()

    runner = WorkerRunner()
    await runner.add_workers(worker)
    running = asyncio.ensure_future(runner.run())
    await started.wait()
    for number, said in enumerate(ANSWERS):
        say(f"user: {said}")
        await worker.queue_frame(TranscriptionFrame(said, "user", ""))
        if number == 1:
            await asyncio.sleep(4.0)
            say("  (the user interrupts)")
            await worker.queue_frame(InterruptionFrame())
        else:
            await listener.until_played()
    await worker.queue_frame(CancelFrame())
    await running
    return bytes(listener.heard)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--voice", default="alloy")
    parser.add_argument("--out", default="agent.wav")
    args = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    heard = asyncio.run(converse(args.url, args.voice))
    with wave.open(args.out, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(heard)
    say(f"{args.out}: {len(heard) / 2 / RATE:.1f} s were heard")


if __name__ == "__main__":
    main()
