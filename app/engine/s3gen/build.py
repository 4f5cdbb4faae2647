"""The vocoder engine of a configuration. Knows nothing about voices or sessions."""

import time
from collections.abc import Callable

from app.config import VocoderSettings
from app.engine.checkpoint.components import Vocoder
from app.engine.s3gen.call_stage import OnStage, ignore_stage
from app.engine.s3gen.context import max_call_tokens, max_rows
from app.engine.s3gen.decoder import Decoder
from app.engine.s3gen.engine import VocoderEngine


def build_vocoder_engine(
    vocoder: Vocoder,
    settings: VocoderSettings,
    num_steps: int,
    on_stage: OnStage = ignore_stage,
    clock: Callable[[], float] = time.monotonic,
    *,
    mutes_last_token: bool = False,
) -> VocoderEngine:
    """The engine takes `vocoder` over. `num_steps` and `mutes_last_token`: as in Decoder. Raises
    ConfigError where the model cannot be served with these settings."""
    decoder = Decoder(vocoder, settings, num_steps, mutes_last_token=mutes_last_token)
    return VocoderEngine(
        decoder,
        settings.slots,
        clock,
        max_rows=max_rows(settings, decoder.device),
        max_call_tokens=max_call_tokens(settings, decoder.device),
        on_stage=on_stage,
    )
