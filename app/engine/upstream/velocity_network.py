"""Upstream's modules of the flow's velocity network, and the diffusers class that they use.

Import them from here only. Diffusers imports all of transformers and of torch's compiler if it
finds them, which takes 12 s (2026-11), for classes that are not used here.
"""

from app.engine.upstream.lazy_import import without_modules

with without_modules("transformers", "torch._dynamo"):
    from chatterbox.models.s3gen.decoder import (
        CausalBlock1D,
        CausalConv1d,
        CausalResnetBlock1D,
        ConditionalDecoder,
    )
    from chatterbox.models.s3gen.flow_matching import CausalConditionalCFM
    from chatterbox.models.s3gen.matcha.transformer import BasicTransformerBlock
    from diffusers.models.attention_processor import Attention

__all__ = [
    "Attention",
    "BasicTransformerBlock",
    "CausalBlock1D",
    "CausalConditionalCFM",
    "CausalConv1d",
    "CausalResnetBlock1D",
    "ConditionalDecoder",
]
