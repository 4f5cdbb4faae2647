"""A head that walks along the text is found without a reference; a model without one says so."""

import numpy as np
import pytest
import torch

from app.engine.checkpoint.source import open_checkpoint
from app.engine.t3.alignment_heads import AlignmentHeads, Head
from app.engine.t3.calibration import begins, calibrate, paths_of, scores_of
from app.engine.t3.model import T3Model
from app.engine.t3.text_paths import BEFORE_TEXT

CPU = torch.device("cpu")


def calibrated(name: str) -> AlignmentHeads:
    checkpoint = open_checkpoint(name)
    weights = checkpoint.t3_weights(CPU, torch.float32)
    model = T3Model(checkpoint.spec.t3, weights, CPU, torch.float32)
    voice = checkpoint.conditionals(checkpoint.voices()[0]).t3
    return calibrate(model, checkpoint.spec, checkpoint.tokenizer(), voice)


@pytest.mark.full  # seconds
def test_a_model_that_speaks_has_such_a_head() -> None:
    found = calibrated("embedded")
    assert found.heads == (Head(1, 3),)  # as a forced alignment says (2026-11-30)
    assert found.score is not None
    assert found.score > 0.3
    assert 35 <= found.offset_ms <= 75  # 50 by the forced alignment
    assert found.took_s is not None


@pytest.mark.full  # seconds
@pytest.mark.parametrize("name", ["embedded-babble", "embedded-turbo"])
def test_random_weights_have_none(name: str) -> None:
    found = calibrated(name)
    assert found.heads == ()
    assert found.score is not None
    assert found.score < 0.1


def shares(*looks: tuple[int, float]) -> np.ndarray:
    """(K, 1, 2, 5): head 0 looks at an id with a part of its attention, head 1 at all alike."""
    both = np.full((len(looks), 1, 2, 5), 0.02, np.float32)
    for token, (text_id, part) in enumerate(looks):
        both[token, 0, 0, text_id] = part
    return both


def test_a_head_scores_the_attention_on_its_path() -> None:
    found = shares((0, 0.8), (1, 0.6), (2, 0.4))
    scores = scores_of(found, paths_of(found))
    assert scores[0, 0] == pytest.approx(0.6)
    assert scores[0, 1] <= 0.02


def test_a_path_begins_where_the_head_begins_to_look() -> None:
    path = paths_of(shares((0, 0.02), (0, 0.02), (0, 0.8), (1, 0.8)))[:, 0, 0]
    assert path.tolist() == [BEFORE_TEXT, BEFORE_TEXT, 0, 1]


def test_a_word_begins_in_the_first_token_that_loses_something() -> None:
    lost = np.array([-0.1, 0.01, 0.0, 2.0, 5.0, 1.0], np.float32)
    assert begins(lost) == pytest.approx(3.4, abs=0.01)
