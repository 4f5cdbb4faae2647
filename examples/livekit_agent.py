"""A voice agent in LiveKit Agents that speaks with this server, without an account of any vendor.

    make serve                                                    # in another terminal
    uv run --with "livekit-agents==1.8.9" --with "livekit-plugins-cartesia==1.8.9" \\
        examples/livekit_agent.py

The speech plugin is LiveKit's own for Cartesia; its address is the only change. A script stands for
the language model and for the user, who interrupts the second answer. What the user would hear is
written to agent.wav. In an agent of yours a room takes the place of the speaker below:
`session.start(agent, room=...)`.
"""

import argparse
import asyncio
import sys
import uuid
import wave
from typing import Any

import aiohttp
from livekit import rtc
from livekit.agents import Agent, AgentSession, llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities
from livekit.plugins import cartesia

RATE = 24_000
TOKEN_S = 0.03  # between two words of the language model
ANSWERS = {
    "Hello.": "Hello! It is good to hear you. What can I do for you today?",
    "Tell me a story.": "Once upon a time there was a server that spoke. It spoke all day, and it "
    "spoke all night. Nobody had ever told it how to stop, until one day somebody did.",
    "Stop, thank you.": "Of course. Good bye!",
}


class ScriptedModel(llm.LLM):
    """Answers what the user said last, word by word."""

    def chat(self, *, chat_ctx: llm.ChatContext, tools: Any = None, **_: Any) -> llm.LLMStream:
        return ScriptedAnswer(
            self, chat_ctx=chat_ctx, tools=tools or [], conn_options=DEFAULT_API_CONNECT_OPTIONS
        )


class ScriptedAnswer(llm.LLMStream):
    async def _run(self) -> None:
        said = [item for item in self._chat_ctx.items if item.type == "message"]
        last = next(item for item in reversed(said) if item.role == "user")
        for word in ANSWERS[last.text_content].split():
            delta = llm.ChoiceDelta(role="assistant", content=f"{word} ")
            self._event_ch.send_nowait(llm.ChatChunk(id=uuid.uuid4().hex, delta=delta))
            await asyncio.sleep(TOKEN_S)


class Speaker(AudioOutput):
    """Plays what comes, and throws away what was not played when it is interrupted."""

    def __init__(self) -> None:
        super().__init__(
            label="speaker", capabilities=AudioOutputCapabilities(pause=False), sample_rate=RATE
        )
        self.heard = bytearray()
        self._began_s: float | None = None  # of the segment
        self._segment = bytearray()
        self._ending: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._began_s is None:
            self._began_s = asyncio.get_running_loop().time()
            self.on_playback_started(created_at=self._began_s)
        self._segment += bytes(frame.data)

    def flush(self) -> None:
        """The segment is complete, and plays to its end."""
        super().flush()
        if self._began_s is not None:
            loop = asyncio.get_running_loop()
            ends_s = self._began_s + len(self._segment) / 2 / RATE
            self._ending = loop.call_at(ends_s, self._end, False)

    def clear_buffer(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if self._began_s is not None:
            self._end(True)

    def _end(self, interrupted: bool) -> None:
        began_s = self._began_s or 0.0
        played = round((asyncio.get_running_loop().time() - began_s) * RATE) * 2
        segment, self._segment = self._segment, bytearray()
        self._began_s = self._ending = None
        self.heard += segment[:played]
        position_s = min(played, len(segment)) / 2 / RATE
        self.on_playback_finished(playback_position=position_s, interrupted=interrupted)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def converse(url: str, voice: str) -> bytes:
    async with aiohttp.ClientSession() as http:
        speech = cartesia.TTS(
            api_key="the key of this server, if it has keys",
            base_url=url,
            voice=voice,
            http_session=http,
        )
        session: AgentSession[None] = AgentSession(llm=ScriptedModel(), tts=speech)
        speaker = Speaker()
        session.output.audio = speaker
        await session.start(Agent(instructions="Answer as the script says."))
        for number, said in enumerate(ANSWERS):
            say(f"user: {said}")
            reply = session.generate_reply(user_input=said)
            if number == 1:
                await asyncio.sleep(4.0)
                say("  (the user interrupts)")
                await session.interrupt()
            await reply
            for item in reply.chat_items:
                if item.type == "message" and item.role == "assistant":
                    say(f"  agent: {item.text_content}")
        await session.aclose()
        await speech.aclose()
    return bytes(speaker.heard)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--voice", default="alloy")
    parser.add_argument("--out", default="agent.wav")
    args = parser.parse_args()
    heard = asyncio.run(converse(args.url, args.voice))
    with wave.open(args.out, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(heard)
    say(f"{args.out}: {len(heard) / 2 / RATE:.1f} s were heard")


if __name__ == "__main__":
    main()
