"""The vocoder's two modules, at any size, without weights. At full size their keys and shapes are
exactly upstream's.

The flow is built around upstream's velocity network, or around our modules of it, which a replica
runs.
"""

from functools import partial

import torch
from chatterbox.models.s3gen.configs import CFM_PARAMS
from chatterbox.models.s3gen.transformer.embedding import EspnetRelPositionalEncoding
from chatterbox.models.s3gen.transformer.upsample_encoder import (
    PreLookaheadLayer,
    Upsample1D,
    UpsampleConformerEncoder,
)
from chatterbox.models.utils import AttrDict
from torch import nn

from app.core import SAMPLE_RATE
from app.engine.checkpoint.blueprint import Blueprint
from app.engine.checkpoint.spec import EncoderSpec, HiFTSpec, S3GenSpec
from app.engine.s3gen.velocity_modules import VelocityDecoder
from app.engine.upstream.vocoder_modules import (
    CausalMaskedDiffWithXvec,
    ConvRNNF0Predictor,
    HiFTGenerator,
)

_PRE_LOOKAHEAD_TOKENS = 3
_FADE_SAMPLES = SAMPLE_RATE // 50  # 20 ms of silence, then 20 ms of fade; source: S3Token2Wav


def flow_blueprint(spec: S3GenSpec) -> Blueprint:
    return Blueprint(partial(build_flow, spec), derive=_derive_positions)


def hift_blueprint(spec: HiFTSpec) -> Blueprint:
    return Blueprint(partial(build_hift, spec), derive=_derive_window)


def build_flow(spec: S3GenSpec) -> CausalMaskedDiffWithXvec:
    """Upstream's, around our modules of the velocity network. app.engine.s3gen.flow runs it."""
    decoder = VelocityDecoder(spec.estimator, meanflow=spec.meanflow, cfg_rate=spec.cfg_rate)
    return _flow_around(decoder, spec)


def build_upstream_flow(spec: S3GenSpec) -> CausalMaskedDiffWithXvec:
    """All of it upstream's, for upstream's own loops and for training."""
    return _flow_around(_upstream_decoder(spec), spec)


def with_upstream_network(
    flow: CausalMaskedDiffWithXvec, spec: S3GenSpec
) -> CausalMaskedDiffWithXvec:
    """The loaded flow with the same weights in upstream's velocity network."""
    decoder = _upstream_decoder(spec)
    decoder.load_state_dict(flow.decoder.state_dict(), assign=True)
    flow.decoder = decoder.eval().requires_grad_(requires_grad=False)
    return flow


def _upstream_decoder(spec: S3GenSpec) -> nn.Module:
    from app.engine.upstream.velocity_network import (  # noqa: PLC0415 (diffusers, 0.7 s)
        CausalConditionalCFM,
        ConditionalDecoder,
    )

    estimator = ConditionalDecoder(
        in_channels=320,
        out_channels=80,
        causal=True,
        channels=list(spec.estimator.channels),
        dropout=0.0,
        attention_head_dim=spec.estimator.head_dim,
        n_blocks=spec.estimator.num_blocks,
        num_mid_blocks=spec.estimator.num_mid_blocks,
        num_heads=spec.estimator.num_heads,
        act_fn="gelu",
        meanflow=spec.meanflow,
    )
    decoder: nn.Module = CausalConditionalCFM(
        spk_emb_dim=80,
        cfm_params=AttrDict({**CFM_PARAMS, "inference_cfg_rate": spec.cfg_rate}),
        estimator=estimator,
    )
    return decoder


def _flow_around(decoder: nn.Module, spec: S3GenSpec) -> CausalMaskedDiffWithXvec:
    flow = CausalMaskedDiffWithXvec(
        input_size=spec.encoder.dim, encoder=_build_encoder(spec.encoder), decoder=decoder
    )
    return flow.eval()


def build_hift(spec: HiFTSpec) -> HiFTGenerator:
    hift = HiFTGenerator(
        base_channels=spec.base_channels,
        sampling_rate=SAMPLE_RATE,
        upsample_rates=list(spec.upsample_rates),
        upsample_kernel_sizes=list(spec.upsample_kernels),
        resblock_kernel_sizes=list(spec.resblock_kernels),
        resblock_dilation_sizes=[list(dilations) for dilations in spec.resblock_dilations],
        source_resblock_kernel_sizes=list(spec.source_kernels),
        source_resblock_dilation_sizes=[list(dilations) for dilations in spec.source_dilations],
        f0_predictor=ConvRNNF0Predictor(cond_channels=spec.f0_channels),
    )
    return hift.eval()


def trim_fade() -> torch.Tensor:
    """(960,) gain of an utterance's first samples: 20 ms of silence, 20 ms of cosine fade."""
    fade = torch.zeros(2 * _FADE_SAMPLES)
    fade[_FADE_SAMPLES:] = (torch.cos(torch.linspace(torch.pi, 0, _FADE_SAMPLES)) + 1) / 2
    return fade


def _build_encoder(spec: EncoderSpec) -> UpsampleConformerEncoder:
    encoder = UpsampleConformerEncoder(
        input_size=spec.dim,  # the second embedding reads the output of the first half
        output_size=spec.dim,
        attention_heads=spec.num_heads,
        linear_units=spec.linear_units,
        num_blocks=spec.num_blocks,
        dropout_rate=0.1,
        positional_dropout_rate=0.1,
        attention_dropout_rate=0.1,
        normalize_before=True,
        input_layer="linear",
        pos_enc_layer_type="rel_pos_espnet",
        selfattention_layer_type="rel_selfattn",
        use_cnn_module=False,
        macaron_style=False,
    )
    # Upstream's constructor fixes these at 512 channels and 4 blocks:
    encoder.pre_lookahead_layer = PreLookaheadLayer(spec.dim, _PRE_LOOKAHEAD_TOKENS)
    encoder.up_layer = Upsample1D(spec.dim, spec.dim, stride=2)
    encoder.up_encoders = encoder.up_encoders[: spec.num_up_blocks]
    return encoder


def _derive_positions(flow: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    for part in flow.modules():
        if isinstance(part, EspnetRelPositionalEncoding):
            num_positions = part.pe.size(1) // 2 + 1
            part.pe = None
            part.extend_pe(torch.zeros((), device=device, dtype=dtype).expand(1, num_positions))


def _derive_window(hift: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    hift.stft_window = hift.stft_window.to(device)
