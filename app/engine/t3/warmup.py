"""T3's first synthesis, whose tokens are dropped, and its speed (app.engine.warmup)."""

from collections.abc import Iterator
from dataclasses import replace

from app.core import SamplingParams, VoiceRef
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.t3.engine import TokenEngine
from app.engine.t3.sequence import Sequence, SequenceRequest
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import WARMUP_KEY, Timer, measure, timer_of, warm_up

TEXT = "Hello there."
NUM_STEPS = 8  # of one sequence alone
MOST_SEQUENCES = 8  # that are measured side by side
NUM_LAST = 8  # steps of the sequence that joins last
STEPS_OF_A_PROMPT = 6  # that a sequence makes, on average, until the next one joins
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
    """One sequence alone, then several that join one after another and end one after another: each
    number of sequences has steps of its own."""
    yield _sequences(engine, request, [NUM_STEPS])
    count = min(MOST_SEQUENCES, engine.stats().slots_total)
    lengths = [NUM_LAST + STEPS_OF_A_PROMPT * later for later in reversed(range(count))]
    if count > 1:
        yield _sequences(engine, request, lengths)


def _prompt_token_s(engine: TokenEngine, request: SequenceRequest, timer: Timer) -> float | None:
    """What a token of a prompt adds to a step, in each of its rows."""
    if engine.speed.measured is None:
        return None
    each_s = []
    for _ in range(NUM_PROMPTS):
        began_s = timer()
        warm_up(engine, _sequences(engine, request, [1]))  # one step: the prompt
        took_s = timer() - began_s - engine.speed.measured.base_s
        each_s.append(took_s / engine.num_prompt_tokens)
    return max(0.0, min(each_s))


def _sequences(engine: TokenEngine, request: SequenceRequest, lengths: list[int]) -> list[Sequence]:
    """One for each length, in tokens."""
    return [
        engine.prepare(replace(request, segment=n, sampling=_ending(request.sampling, num_tokens)))
        for n, num_tokens in enumerate(lengths)
    ]


def _ending(sampling: SamplingParams, num_tokens: int) -> SamplingParams:
    return replace(sampling, max_tokens=num_tokens, ignore_eos=True)
