"""Upstream's modules of the flow's velocity network, for upstream's own loops and for training.

Import them from here only. Diffusers imports all of transformers and of torch's compiler if it
finds them, which takes 12 s (2026-11), for classes that are not used here.
"""

from app.engine.upstream.lazy_import import without_modules

with without_modules("transformers", "torch._dynamo"):
    from chatterbox.models.s3gen.decoder import ConditionalDecoder
    from chatterbox.models.s3gen.flow_matching import CausalConditionalCFM

__all__ = ["CausalConditionalCFM", "ConditionalDecoder"]
