"""livekit-agents' speech plugins, in their default configuration: python -m
interop.clients.livekit_tts URL PLUGIN."""

import asyncio
import sys

import aiohttp
from livekit.agents import tokenize, tts
from livekit.plugins import cartesia, deepgram, elevenlabs, openai

from interop.orders import Turn, run


def plugin_of(url: str, name: str, session: aiohttp.ClientSession) -> tts.TTS:
    match name:
        case "openai":
            # It has no stream of its own: an agent asks sentence by sentence.
            plugin = openai.TTS(api_key="interop", base_url=f"{url}/v1")
            return tts.StreamAdapter(
                tts=plugin, sentence_tokenizer=tokenize.blingfire.SentenceTokenizer()
            )
        case "cartesia":
            return cartesia.TTS(api_key="interop", base_url=url, http_session=session)
        case "elevenlabs":
            return elevenlabs.TTS(api_key="interop", base_url=f"{url}/v1", http_session=session)
        case "deepgram":
            return deepgram.TTS(api_key="interop", base_url=f"{url}/v1/speak", http_session=session)
    raise ValueError(f"no plugin is called {name}")


class LiveKit:
    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name

    async def open(self) -> None:
        self._session = aiohttp.ClientSession()
        self._tts = plugin_of(self._url, self._name, self._session)

    async def take(self, turn: Turn) -> None:
        stream = self._tts.stream()
        for sentence in turn.sentences:
            stream.push_text(f"{sentence} ")
        stream.end_input()
        listening = asyncio.ensure_future(self._listen(turn, stream))
        is_interrupted = await turn.interrupts(listening)
        await stream.aclose()
        if is_interrupted:
            listening.cancel()
            await asyncio.wait({listening})
        else:
            await listening

    async def _listen(self, turn: Turn, stream: tts.SynthesizeStream) -> None:
        async for event in stream:
            frame = event.frame
            turn.sound(frame.samples_per_channel, frame.sample_rate)
            turn.words([str(word) for word in frame.userdata.get("lk.timed_transcripts", ())])

    async def close(self) -> None:
        await self._tts.aclose()
        await self._session.close()


if __name__ == "__main__":
    run(LiveKit(sys.argv[1], sys.argv[2]))
