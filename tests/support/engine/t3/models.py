"""Seeded T3s of upstream's class, small enough to run in milliseconds, and requests to them."""

from collections.abc import Sequence

import torch
from chatterbox.models.t3.modules.cond_enc import T3Cond
from chatterbox.models.t3.t3 import T3
from torch import Tensor

from app.core import FinishReason, SamplingParams, SessionKey, SpeechTokens
from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.spec import T3Spec
from app.engine.conditionals import T3Conditionals
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import Sequence as T3Sequence
from app.engine.t3.sequence import SequenceRequest
from app.t3_settings import T3Settings
from tests.support.engine.checkpoint.tiny import TINY_GPT2, TINY_LLAMA
from tests.support.engine.t3.lone_scheduler import UNGUARDED

ENGLISH = TINY_LLAMA
MULTILINGUAL = TINY_LLAMA.model_copy(update={"text_vocab": 2454})
TURBO = TINY_GPT2
SPECS = {"english": ENGLISH, "turbo": TURBO}
CPU = torch.device("cpu")
SILENCE = (4299, 4299, 4299)


def upstream_t3(spec: T3Spec, seed: int = 1) -> T3:
    """Random weights, large enough that the tokens depend on the whole prompt. As transformers
    initialises it, a small model hardly uses its context."""
    torch.manual_seed(seed)
    t3 = build_t3(spec).requires_grad_(requires_grad=False)
    for name, weight in t3.tfmr.named_parameters():
        if weight.ndim == 2 and not name.startswith(("wte", "wpe", "embed_tokens")):
            weight.mul_(1 / (0.02 * spec.dim**0.5))  # each layer's output as large as its input
    t3.speech_head.weight.mul_(5)
    return t3


def our_t3(t3: T3, spec: T3Spec, device: torch.device = CPU) -> T3Model:
    return T3Model(spec, t3.to(device).state_dict(), device, torch.float32)


def conditionals(seed: int, num_tokens: int = 150) -> T3Conditionals:
    generator = torch.Generator().manual_seed(seed)
    speaker = torch.randn(256, generator=generator)
    return T3Conditionals(
        speaker / speaker.norm(), torch.randint(0, 6561, (num_tokens,), generator=generator)
    )


def upstream_cond(voice: T3Conditionals, exaggeration: float) -> T3Cond:
    return T3Cond(
        speaker_emb=voice.speaker_emb[None],
        cond_prompt_speech_tokens=voice.prompt_tokens[None],
        emotion_adv=exaggeration * torch.ones(1, 1, 1),
    )


def text_ids(seed: int, num_tokens: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(1, 250, (num_tokens,), generator=generator).tolist())


def session(name: str | int) -> SessionKey:
    return SessionKey("tenant", f"session-{name}")


def request(
    name: str | int,
    sampling: SamplingParams,
    *,
    segment: int = 0,
    voice: int = 1,
    num_text: int = 12,
) -> SequenceRequest:
    ids = text_ids(voice, num_text)
    return SequenceRequest(session(name), segment, ids, VOICES[voice], sampling)


VOICES = {seed: conditionals(seed, 20 + seed) for seed in range(1, 13)}


def settings(**changes: object) -> T3Settings:
    """By default prompts are computed at once beside any other sequence, and only the model's stop
    token ends a segment."""
    return T3Settings.model_validate({"prefill_share": 10.0, "guards": UNGUARDED, **changes})


class Recorded:
    """The tokens of every segment as a listener gets them. Each group is checked on arrival."""

    def __init__(self) -> None:
        self.ids: dict[tuple[SessionKey, int], list[int]] = {}
        self.finish: dict[tuple[SessionKey, int], FinishReason] = {}

    def add(self, groups: Sequence[SpeechTokens]) -> None:
        for group in groups:
            segment = (group.key, group.segment)
            ids = self.ids.setdefault(segment, [])
            assert segment not in self.finish, "a group came after the finish"
            assert group.start == len(ids) or not group.ids
            assert all(0 <= token < 6561 for token in group.ids)
            ids.extend(group.ids)
            if group.finish is not None:
                self.finish[segment] = group.finish


def send(engine: TokenEngine, *requests: SequenceRequest) -> None:
    for one in requests:
        engine.receive(engine.prepare(one))


def run_all(engine: TokenEngine, requests: Sequence[SequenceRequest]) -> Recorded:
    send(engine, *requests)
    return run_to_end(engine)


def run_to_end(engine: TokenEngine) -> Recorded:
    """Step until the engine has no work, with an integrity check after every step."""
    recorded = Recorded()
    while engine.has_work():
        recorded.add(engine.step())
        engine.check_integrity()
    return recorded


class ReplayedNoise:
    """Replays recorded draws: one (vocab,) row per session and step."""

    def __init__(self, draws: dict[SessionKey, list[Tensor]]) -> None:
        self._draws = draws

    def __call__(self, sequences: Sequence[T3Sequence], vocab: int, device: torch.device) -> Tensor:
        return torch.stack([self._draws[s.key][len(s.tokens)] for s in sequences])


class ForcedTokens:
    """Noise that makes every sequence draw the ids of the script, one per step."""

    def __init__(self, script: Sequence[int]) -> None:
        self._script = script

    def __call__(self, sequences: Sequence[T3Sequence], vocab: int, device: torch.device) -> Tensor:
        noise = torch.full((len(sequences), vocab), 1e10)
        for row, sequence in enumerate(sequences):
            noise[row, self._script[len(sequence.tokens)]] = 1e-25
        return noise
