"""The vocoder's first sound, heard by nobody (app.engine.warmup)."""

from app.core import FinishReason, SpeechTokens
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.messages import OpenSegment, PushTokens, VocoderMessage
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import KEY, speak

NUM_VOICED = 64  # tokens: cells of every length up to the longest usual one


def warm_vocoder(engine: VocoderEngine, voices: VoiceProvider) -> None:
    """A model without a voice of its own stays cold. Before the engine's loop starts."""
    for voice in voices.own()[:1]:
        s3gen = voices.get(voice).s3gen
        tokens = SpeechTokens(KEY, 0, 0, tuple(range(NUM_VOICED)), FinishReason.STOP)
        opened = OpenSegment(KEY, 0, voice, s3gen, seed=1, fade_in=True)
        messages: list[VocoderMessage] = [opened, PushTokens(tokens)]
        speak(engine, messages)
