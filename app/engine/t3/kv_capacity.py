"""How many pages of keys and values an engine may hold."""

import torch

from app.engine.t3.kv_budget import PAGE, pages_of
from app.engine.t3.model import T3Model, max_positions
from app.t3_settings import T3Settings

_LONG_SEGMENT = 300 + 1000  # positions: its text, and the most tokens that upstream allows


def num_pages_of(model: T3Model, settings: T3Settings) -> int:
    """The pages of `settings.kv_gib`. Where that is None: a long segment in every slot, and the
    kept prefixes. The longest possible segment then fits beside fewer others.

    A GPU gives at most a quarter of its free memory: the vocoder and the graphs live there too.
    """
    spec = model.spec
    position_bytes = 2 * spec.num_layers * spec.num_heads * spec.head_dim * model.dtype.itemsize
    if settings.kv_gib is not None:
        return int(settings.kv_gib * 2**30) // (PAGE * position_bytes)
    num_rows = 2 if spec.backbone == "llama" else 1
    prefix = 2 + (spec.num_perceiver_queries if spec.perceiver else spec.prompt_len)
    longest = pages_of(max_positions(spec), num_rows)
    usual = min(longest, pages_of(prefix + _LONG_SEGMENT, num_rows))
    wanted = max(longest, settings.slots * usual) + settings.prefixes_kept * pages_of(prefix)
    if model.device.type != "cuda":
        return wanted
    num_free_bytes = torch.cuda.mem_get_info(model.device)[0]
    return min(wanted, num_free_bytes // 4 // (PAGE * position_bytes))
