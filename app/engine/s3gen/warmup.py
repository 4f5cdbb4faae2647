"""The vocoder's first synthesis, whose sound is dropped, and its speed (app.engine.warmup)."""

from app.core import FinishReason, SpeechTokens, VoiceRef
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.ladders import cells_of
from app.engine.s3gen.messages import OpenSegment, VocoderMessage
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import WARMUP_KEY, Timer, measure, timer_of

NUM_TOKENS = 60  # at least, of each synthesis: cells of every size up to the longest usual one
# Syntheses, where the time suffices; the fastest call of each size counts. A GPU's clock also
# counts what the processor does meanwhile, so a third one is worth its milliseconds. On a CPU a
# third one takes 0.2 s and tells little: the measured cost of a cell varies by 4 % from start to
# start with two of them, and by 2 % with three (2026-12).
NUM_RUNS = {"cpu": 2, "cuda": 3}


def warm_vocoder(engine: VocoderEngine, voices: VoiceProvider, timer: Timer | None = None) -> None:
    """Call before the engine's loop starts. A model without a built-in voice stays cold, and its
    speed unknown. `timer`: by the device where None."""
    for voice in voices.built_in()[:1]:
        s3gen = voices.get(VoiceRef(voice)).s3gen
        num_tokens = sum(cells_of(engine.stats().cells, NUM_TOKENS))
        opened = OpenSegment(WARMUP_KEY, 0, voice, s3gen, seed=1, fade_in=True)
        tokens = SpeechTokens(WARMUP_KEY, 0, 0, tuple(range(num_tokens)), FinishReason.STOP)
        messages: list[VocoderMessage] = [opened, tokens]
        device = engine.device.type
        measure(engine, [messages] * NUM_RUNS[device], timer or timer_of(device))
