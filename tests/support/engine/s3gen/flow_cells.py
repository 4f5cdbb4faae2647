"""Cells for `Flow`, and upstream's own mel of the same tokens and noise."""

from collections.abc import Sequence

import pytest
import torch
from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
from torch import Tensor

from app.engine.checkpoint.spec import S3GenSpec
from app.engine.conditionals import S3GenConditionals
from app.engine.s3gen.flow import FlowCell, FlowNet


def upstream_mel(
    flow: CausalMaskedDiffWithXvec,
    spec: S3GenSpec,
    speaker: S3GenConditionals,
    ids: Sequence[int],
    noise: Tensor,
) -> Tensor:
    """Upstream's mel of a finished utterance, with `noise` in the place of its random numbers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randn_like", lambda like: noise[None].clone())
        mel, _ = flow.inference(
            token=torch.tensor([ids]),
            token_len=torch.tensor([len(ids)]),
            prompt_token=speaker.prompt_tokens[None],
            prompt_token_len=torch.tensor([len(speaker.prompt_tokens)]),
            prompt_feat=speaker.prompt_mel[None],
            prompt_feat_len=None,
            embedding=speaker.speaker_emb[None],
            finalize=True,
            n_timesteps=spec.euler_steps,
            meanflow=spec.meanflow,
        )
    return mel[0]


def whole_cell(net: FlowNet, speaker: S3GenConditionals, ids: Sequence[int], seed: int) -> FlowCell:
    """A whole utterance in one cell, without look-ahead."""
    tokens = (*speaker.prompt_tokens.tolist(), *ids)
    return FlowCell(
        tokens=tokens,
        prompt_mel=speaker.prompt_mel,
        speaker=net.project_speaker(speaker.speaker_emb),
        noise=torch.randn(80, 2 * len(tokens), generator=torch.Generator().manual_seed(seed)),
        num_ahead_frames=0,
        num_new_frames=2 * len(ids),
    )


def inner_cell(net: FlowNet, speaker: S3GenConditionals, ids: Sequence[int], seed: int) -> FlowCell:
    """The last three tokens are look-ahead; about half of the others are new."""
    whole = whole_cell(net, speaker, ids, seed)
    return FlowCell(
        whole.tokens, whole.prompt_mel, whole.speaker, whole.noise[:, :-6], 6, len(ids) - 4
    )
