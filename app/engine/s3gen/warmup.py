"""The vocoder's first synthesis, whose sound is dropped (app.engine.warmup)."""

from app.core import FinishReason, SpeechTokens, VoiceRef
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.messages import OpenSegment, VocoderMessage
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import WARMUP_KEY, warm_up

NUM_VOICED = 64  # tokens: cells of every length up to the longest usual one


def warm_vocoder(engine: VocoderEngine, voices: VoiceProvider) -> None:
    """Call before the engine's loop starts. A model without a built-in voice stays cold."""
    for voice in voices.built_in()[:1]:
        s3gen = voices.get(VoiceRef(voice)).s3gen
        opened = OpenSegment(WARMUP_KEY, 0, voice, s3gen, seed=1, fade_in=True)
        tokens = SpeechTokens(WARMUP_KEY, 0, 0, tuple(range(NUM_VOICED)), FinishReason.STOP)
        messages: list[VocoderMessage] = [opened, tokens]
        warm_up(engine, messages)
