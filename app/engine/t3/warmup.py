"""T3's first synthesis, whose tokens are dropped (app.engine.warmup)."""

from dataclasses import replace

from app.core import VoiceRef
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.t3.engine import TokenEngine
from app.engine.t3.sequence import SequenceRequest
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import WARMUP_KEY, warm_up

TEXT = "Hello there."
NUM_STEPS = 4


def warm_t3(
    engine: TokenEngine, spec: ModelSpec, tokenizer: TextTokenizer, voices: VoiceProvider
) -> None:
    """Call before the engine's loop starts. A model without a built-in voice stays cold."""
    for voice in voices.built_in()[:1]:
        language = spec.languages[0] if spec.languages else None
        text_ids = tokenizer.encode(TEXT, language)
        sampling = replace(spec.sampling, max_tokens=NUM_STEPS, ignore_eos=True)
        request = SequenceRequest(WARMUP_KEY, 0, text_ids, voices.get(VoiceRef(voice)).t3, sampling)
        warm_up(engine, [engine.prepare(request)])
