"""Full-size models with random weights, for measurements without the published weights.

A component's weights depend on the seed alone: not on other components, and not on the device. The
weights are upstream's own initialisation. T3's head is set so that it draws varied codec ids; with
the default sampling it draws neither the stop token nor an id outside the codec, so a forced length
gives sound over the whole length. The text ids and the voices mean nothing, and the sound is noise.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from app.core import FRAMES_PER_TOKEN, NUM_MELS, NUM_SPEECH_IDS, TOKENS_PER_S
from app.engine.checkpoint.blueprint import without_unread
from app.engine.checkpoint.components import Component, blueprint_of
from app.engine.checkpoint.find_model import RandomModel
from app.engine.checkpoint.model_files import own_layout
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer, open_tokenizer
from app.engine.conditionals import (
    SPEAKER_DIM,
    XVECTOR_DIM,
    Conditionals,
    S3GenConditionals,
    T3Conditionals,
)

if TYPE_CHECKING:  # `blueprint_of` imports the component
    from chatterbox.models.t3.t3 import T3

LOGIT_STD = 2.0  # of the codec ids: the default min_p then leaves about 70 ids
_PROMPT_S = 10
_MEL_MEAN, _MEL_STD = -5.0, 2.0  # similar to log-mel speech


@dataclass(frozen=True, slots=True)
class SeededSource:
    model: RandomModel

    def load(
        self,
        component: Component,
        device: torch.device,
        dtype: torch.dtype,
        *,
        one_by_one: bool = False,
    ) -> nn.Module:
        """The tensors have memory of their own in any case."""
        spec = self.model.spec
        blueprint = blueprint_of(component, spec)
        module = without_unread(blueprint, build_seeded(component, spec, self.model.seed))
        if component is Component.FLOW:  # upstream's modules have drawn the weights
            module, drawn = blueprint.build(), module
            module.load_state_dict(drawn.state_dict(), assign=True)
        return module.to(device, dtype).requires_grad_(requires_grad=False)

    def t3_weights(
        self, device: torch.device, dtype: torch.dtype, *, on_demand: bool = False
    ) -> Mapping[str, Tensor]:
        """Upstream's module initialises them, so transformers is imported here. They are drawn one
        after another, so all of them are in memory."""
        return self.load(Component.T3, device, dtype).state_dict()

    def tokenizer(self) -> TextTokenizer:
        model = self.model
        return open_tokenizer(model.spec, model.text_folder, own_layout(model.spec.family).text)

    def conditionals(self, voice: str) -> Conditionals:
        generator = torch.Generator().manual_seed(_seed_of(self.model.seed, voice))
        num_tokens = _PROMPT_S * TOKENS_PER_S

        def tokens(count: int) -> torch.Tensor:
            return torch.randint(NUM_SPEECH_IDS, (count,), generator=generator)

        mel = torch.randn(num_tokens * FRAMES_PER_TOKEN, NUM_MELS, generator=generator)
        return Conditionals(
            voice,
            T3Conditionals(
                F.normalize(torch.rand(SPEAKER_DIM, generator=generator), dim=0),
                tokens(self.model.spec.t3.prompt_len),
            ),
            S3GenConditionals(
                tokens(num_tokens),
                mel * _MEL_STD + _MEL_MEAN,
                torch.randn(XVECTOR_DIM, generator=generator),
            ),
        )

    def verify(self) -> None:
        self.tokenizer()


def build_seeded(component: Component, spec: ModelSpec, seed: int) -> nn.Module:
    """The same float32 weights on the CPU every time. The global generator is unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_seed_of(seed, component))
        module = _upstream_builder(component, spec)()
        if component is Component.T3:
            _vary_codec_ids(cast("T3", module))
    return module


def _upstream_builder(component: Component, spec: ModelSpec) -> Callable[[], nn.Module]:
    """Of the component in upstream's own modules, which initialise its weights."""
    if component is not Component.FLOW:
        return blueprint_of(component, spec).build
    from app.engine.checkpoint.build_vocoder import build_upstream_flow  # noqa: PLC0415

    return partial(build_upstream_flow, spec.s3gen)


@torch.no_grad()
def _vary_codec_ids(t3: "T3") -> None:
    """The last norm gives every hidden component a variance near 1. So a head row of norm s gives
    logits of standard deviation s. A zero row gives the median logit of the codec ids, which min_p
    and top_k remove."""
    head = t3.speech_head
    head.weight.normal_(0, LOGIT_STD / t3.dim**0.5)
    head.weight[NUM_SPEECH_IDS:] = 0
    if head.bias is not None:
        head.bias.zero_()


def _seed_of(seed: int, name: str) -> int:
    return zlib.crc32(f"{seed}:{name}".encode())  # the CPU's generator uses 32 bits of a seed
