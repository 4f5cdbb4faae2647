"""T3's first synthesis, whose tokens are dropped, and its speed (app.engine.warmup)."""

from collections.abc import Iterator
from dataclasses import replace

from app.core import VoiceRef
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.t3.engine import TokenEngine
from app.engine.t3.sequence import Sequence, SequenceRequest
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import WARMUP_KEY, Timer, measure, timer_of, warm_up

TEXT = "Hello there."
NUM_STEPS = 4
COUNTS = (1, 4, 8)  # sequences, whose steps are measured
NUM_MEASURED = 8  # steps of a sequence, at least; the first ones run beside the prompts of others
STEPS_OF_A_PROMPT = 4
NUM_PROMPTS = 3  # that are measured; the fastest counts, because others shared the machine


def warm_t3(
    engine: TokenEngine,
    spec: ModelSpec,
    tokenizer: TextTokenizer,
    voices: VoiceProvider,
    timer: Timer | None = None,
) -> None:
    """Call before the engine's loop starts. A model without a built-in voice stays cold, and its
    speed unknown. `timer`: by the device where None."""
    for voice in voices.built_in()[:1]:
        language = spec.languages[0] if spec.languages else None
        text_ids = tokenizer.encode(TEXT, language)
        conditionals = voices.get(VoiceRef(voice)).t3
        request = SequenceRequest(WARMUP_KEY, 0, text_ids, conditionals, spec.sampling)
        timer = timer or timer_of(engine.device.type)
        measure(engine, _runs(engine, request), timer)
        # A GPU's step returns before its work is done: its time says nothing about one prompt.
        is_cpu = engine.device.type == "cpu"
        engine.schedule_by(_prompt_token_s(engine, request, timer) if is_cpu else None)


def _runs(engine: TokenEngine, request: SequenceRequest) -> Iterator[list[Sequence]]:
    yield _sequences(engine, request, 1, NUM_STEPS)
    for count in COUNTS:
        if count <= engine.stats().slots_total:
            num_tokens = NUM_MEASURED + STEPS_OF_A_PROMPT * count
            yield _sequences(engine, request, count, num_tokens)


def _prompt_token_s(engine: TokenEngine, request: SequenceRequest, timer: Timer) -> float | None:
    """What a token of a prompt adds to a step, in each of its rows."""
    if engine.speed.measured is None:
        return None
    each_s = []
    for _ in range(NUM_PROMPTS):
        began_s = timer()
        warm_up(engine, _sequences(engine, request, 1, num_tokens=1))  # one step: the prompt
        took_s = timer() - began_s - engine.speed.measured.base_s
        each_s.append(took_s / engine.num_prompt_tokens)
    return max(0.0, min(each_s))


def _sequences(
    engine: TokenEngine, request: SequenceRequest, count: int, num_tokens: int
) -> list[Sequence]:
    sampling = replace(request.sampling, max_tokens=num_tokens, ignore_eos=True)
    request = replace(request, sampling=sampling)
    return [engine.prepare(replace(request, segment=n)) for n in range(count)]
