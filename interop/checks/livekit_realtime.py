"""livekit-agents' realtime model, unmodified, in a conversation: what it hears of a server.
python -m interop.checks.livekit_realtime URL FOLDER TURNS; prints one JSON object last.

FOLDER has utterances as raw PCM at 24 kHz. Every second turn interrupts the reply before it, as an
agent does: by `interrupt` and `truncate` once the server has noticed the voice. Then a question in
writing is answered with the help of a function.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from livekit import rtc
from livekit.agents import llm
from livekit.plugins import openai

from interop.checks.microphone import RATE, REPLY_WITHIN_S, Microphone, spoken
from interop.checks.turns import ReplySound, hold_turns
from interop.checks.weather import QUESTION, RESULT


@llm.function_tool
async def weather(town: str) -> str:
    """The weather of a town."""
    return RESULT


class Conversation:
    def __init__(self, url: str) -> None:
        self._model = openai.realtime.RealtimeModel(base_url=f"{url}/v1", api_key="interop")
        self.session = self._model.session()
        self.session.on("input_speech_started", self._on_speech)
        self.session.on("generation_created", self._on_generation)
        self.session.on("input_audio_transcription_completed", self._on_transcript)
        self.session.on("error", lambda error: self.errors.append(str(error.error)))
        self.errors: list[str] = []
        self.transcripts: list[str] = []
        self.noticed_s: float | None = None
        self.reply = ReplySound()
        self.text = ""
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.calls: asyncio.Queue[llm.FunctionCall] = asyncio.Queue()
        self._message_id: str | None = None
        self._first_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def next_turn(self) -> None:
        self.began.clear()
        self.ended.clear()
        self.noticed_s, self.text = None, ""

    def _on_speech(self, event: llm.InputSpeechStartedEvent) -> None:
        self.noticed_s = time.monotonic()
        self.reply.interrupted()
        if self._message_id is not None and not self.ended.is_set():
            played_ms = int((time.monotonic() - self._first_s) * 1e3)
            self.session.interrupt()
            self.session.truncate(
                message_id=self._message_id,
                modalities=["audio"],
                audio_end_ms=min(played_ms, int(self.reply.sound_s * 1e3)),
            )

    def _on_transcript(self, event: llm.InputTranscriptionCompleted) -> None:
        if event.is_final:
            self.transcripts.append(event.transcript)

    def _on_generation(self, event: llm.GenerationCreatedEvent) -> None:
        task = asyncio.ensure_future(self._listen(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, event: llm.GenerationCreatedEvent) -> None:
        self._message_id = None
        async for message in event.message_stream:
            reading = asyncio.ensure_future(self._read(message.text_stream))
            reply = ReplySound()
            async for frame in message.audio_stream:
                if not reply.sound_s:
                    self._message_id, self._first_s = message.message_id, time.monotonic()
                    self.reply = reply
                    self.ended.clear()  # of the reply before it
                    self.began.set()
                reply.heard(frame.duration)
            await reading
        async for call in event.function_stream:
            self.calls.put_nowait(call)
        self.ended.set()

    async def ask(self) -> tuple[str, str]:
        """The arguments of the function's call, and the reply that follows its result."""
        await self.session.update_tools([weather])
        asked = self.session.chat_ctx.copy()
        asked.add_message(role="user", content=QUESTION)
        await self.session.update_chat_ctx(asked)
        await self.session.generate_reply()
        call = await asyncio.wait_for(self.calls.get(), REPLY_WITHIN_S)
        told = self.session.chat_ctx.copy()
        result = await weather(**json.loads(call.arguments))
        told.items.append(
            llm.FunctionCallOutput(
                call_id=call.call_id, name=call.name, output=result, is_error=False
            )
        )
        await self.session.update_chat_ctx(told)
        self.next_turn()
        await self.session.generate_reply()
        await asyncio.wait_for(self.ended.wait(), REPLY_WITHIN_S)
        return call.arguments, self.text

    async def _read(self, texts) -> None:
        self.text = ""
        async for text in texts:
            self.text += text


async def main(url: str, utterances: list[bytes], num_turns: int) -> dict[str, object]:
    conversation = Conversation(url)
    session = conversation.session

    async def push(content: bytes) -> None:
        session.push_audio(rtc.AudioFrame(content, RATE, 1, len(content) // 2))

    microphone = Microphone(push)
    sending = asyncio.ensure_future(microphone.run())
    turns = await hold_turns(conversation, microphone, utterances, num_turns)
    last_reply, last_sound_s = conversation.text, conversation.reply.sound_s
    arguments, tool_reply = await conversation.ask()
    sending.cancel()
    history = [
        (item.role, item.text_content)
        for item in session.chat_ctx.items
        if isinstance(item, llm.ChatMessage)
    ]
    await session.aclose()
    return {
        "client": "LiveKit realtime",
        "turns": turns,
        "transcripts": conversation.transcripts,
        "last_reply": last_reply,
        "last_sound_s": round(last_sound_s, 2),
        "tool_arguments": arguments,
        "tool_reply": tool_reply,
        "num_items": len(history),
        "errors": conversation.errors,
    }


if __name__ == "__main__":
    told = asyncio.run(main(sys.argv[1], spoken(Path(sys.argv[2])), int(sys.argv[3])))
    sys.stdout.write(json.dumps(told) + "\n")
