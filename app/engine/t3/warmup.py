"""T3's first words, heard by nobody (app.engine.warmup)."""

from dataclasses import replace

from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.t3.engine import TokenEngine
from app.engine.t3.sequence import AddSequence
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import KEY, speak

TEXT = "Hello there."
NUM_STEPS = 4


def warm_t3(
    engine: TokenEngine, spec: ModelSpec, tokenizer: TextTokenizer, voices: VoiceProvider
) -> None:
    """A model without a voice of its own stays cold. Before the engine's loop starts."""
    for voice in voices.own()[:1]:
        language = spec.languages[0] if spec.languages else None
        text_ids = tokenizer.encode(TEXT, language)
        sampling = replace(spec.sampling, max_tokens=NUM_STEPS, ignore_eos=True)
        t3 = voices.get(voice).t3
        speak(engine, [AddSequence(KEY, 0, text_ids, t3, voice, sampling)])
