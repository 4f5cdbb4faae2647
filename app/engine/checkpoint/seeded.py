"""Full-size models with random weights, for measurements where the published ones cannot be had.

Every part is a function of its seed alone, whatever else is loaded and on whichever device. The
weights are upstream's own initialisation, with T3's head set so that it draws lively codec ids and
(at the default sampling) neither stops nor leaves the codec: a forced length is heard in full.
Their text ids and voices mean nothing, and what they say is noise.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn import functional as F

from app.core import FRAMES_PER_TOKEN, NUM_MELS, NUM_SPEECH_IDS, TOKENS_PER_S
from app.engine.checkpoint.blueprint import without_unread
from app.engine.checkpoint.components import Component, blueprint_of
from app.engine.checkpoint.local import own_layout
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer, open_tokenizer
from app.engine.conditionals import (
    SPEAKER_DIM,
    XVECTOR_DIM,
    Conditionals,
    S3GenConditionals,
    T3Conditionals,
)

if TYPE_CHECKING:  # the part that is asked for is imported, and no other
    from chatterbox.models.t3.t3 import T3

VOICES = ("random-1", "random-2", "random-3")
LOGIT_STD = 2.0  # of the codec ids: the default min_p then leaves some 70 of them to draw from
_PROMPT_S = 10
_MEL_MEAN, _MEL_STD = -5.0, 2.0  # about those of log-mel speech


@dataclass(frozen=True, slots=True)
class SeededSource:
    """`text_folder` lends its text tokenizer (our own layout)."""

    spec: ModelSpec
    text_folder: Path
    seed: int = 0

    def load(self, part: Component, device: torch.device, dtype: torch.dtype) -> nn.Module:
        blueprint = blueprint_of(part, self.spec)
        module = without_unread(blueprint, build_seeded(part, self.spec, self.seed))
        return module.to(device, dtype).requires_grad_(requires_grad=False)

    def tokenizer(self) -> TextTokenizer:
        return open_tokenizer(self.spec, self.text_folder, own_layout(self.spec.family).text)

    def voices(self) -> tuple[str, ...]:
        return VOICES

    def enrolment_id(self) -> str:
        return f"{self.spec.name}-{self.seed}"

    def conditionals(self, voice: str) -> Conditionals:
        generator = torch.Generator().manual_seed(_seed_of(self.seed, voice))
        num_tokens = _PROMPT_S * TOKENS_PER_S

        def tokens(count: int) -> torch.Tensor:
            return torch.randint(NUM_SPEECH_IDS, (count,), generator=generator)

        mel = torch.randn(num_tokens * FRAMES_PER_TOKEN, NUM_MELS, generator=generator)
        return Conditionals(
            voice,
            T3Conditionals(
                F.normalize(torch.rand(SPEAKER_DIM, generator=generator), dim=0),
                tokens(self.spec.t3.prompt_len),
            ),
            S3GenConditionals(
                tokens(num_tokens),
                mel * _MEL_STD + _MEL_MEAN,
                torch.randn(XVECTOR_DIM, generator=generator),
            ),
        )

    def verify(self) -> None:
        self.tokenizer()


def build_seeded(part: Component, spec: ModelSpec, seed: int) -> nn.Module:
    """The same float32 weights on the CPU every time. The global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_seed_of(seed, part))
        module = blueprint_of(part, spec).build()
        if part is Component.T3:
            _enliven(cast("T3", module))
    return module


@torch.no_grad()
def _enliven(t3: "T3") -> None:
    """The last norm gives every hidden component a variance near one, so a head row of norm s
    makes logits of deviation s; a zero row stays at the codec ids' median, where min_p and top_k
    remove it."""
    head = t3.speech_head
    head.weight.normal_(0, LOGIT_STD / t3.dim**0.5)
    head.weight[NUM_SPEECH_IDS:] = 0
    if head.bias is not None:
        head.bias.zero_()


def _seed_of(seed: int, name: str) -> int:
    return zlib.crc32(f"{seed}:{name}".encode())  # the CPU's generator reads 32 bits of a seed
