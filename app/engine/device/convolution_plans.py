"""How many plans of convolutions a CPU keeps.

oneDNN plans each shape of a convolution once, in 1 to 2 ms, and keeps the 1,024 plans that were
used last. A vocoder needs more: some thirty shapes for each length of a cell, and the last cell of
an utterance has any length. With room for all of them, 130 utterances of `embedded` take 7.5 % less
of a core, and the process grows by 50 MB less (torch 2.11, 2026-11-30). A convolution network alone
takes less than half of the time (findings/onednn_plan_cache.sh). Knows nothing about vocoders.
"""

from app.config import let_onednn_keep

NUM_PLANS = 16_384


def keep_plans() -> None:
    """Call before the process computes: linear layers of oneDNN read the number, too."""
    let_onednn_keep(NUM_PLANS)
