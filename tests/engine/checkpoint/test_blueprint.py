"""A module is built without initialising its weights."""

from pathlib import Path

import pytest
import torch

from app.engine.checkpoint.components import Component
from app.engine.checkpoint.spec import Family
from tests.support.engine.checkpoint.layouts import published
from tests.support.engine.checkpoint.tiny import CPU, F32, FAMILIES, SPECS


@pytest.mark.parametrize("family", FAMILIES)
def test_loading_draws_no_random_number(tmp_path: Path, family: Family) -> None:
    source = published(tmp_path, family, SPECS[family])
    before = torch.get_rng_state()
    for component in Component:
        source.load(component, CPU, F32)
    assert torch.equal(torch.get_rng_state(), before)
