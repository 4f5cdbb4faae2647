from pathlib import Path

import pytest
import torch

from app.engine.checkpoint.components import Component
from app.engine.checkpoint.spec import Family
from tests.engine.checkpoint.test_local import CPU, F32, FAMILIES, SPECS
from tests.support.engine.checkpoint.layouts import published


@pytest.mark.parametrize("family", FAMILIES)
def test_loading_draws_no_random_number(tmp_path: Path, family: Family) -> None:
    """Nothing is initialised that the file is to replace."""
    folder = published(tmp_path, family, SPECS[family])
    before = torch.get_rng_state()
    for part in Component:
        folder.load(part, CPU, F32)
    assert torch.equal(torch.get_rng_state(), before)
