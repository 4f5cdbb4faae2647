"""Upstream's modules of the flow's velocity network, and the diffusers class that they use.

Diffusers imports all of transformers and of torch's compiler if it finds them, 12 s (2026-11), for
classes that are not used here: so these are imported from here and nowhere else.
"""

from app.engine.upstream.lazy_import import hidden

with hidden("transformers", "torch._dynamo"):
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
