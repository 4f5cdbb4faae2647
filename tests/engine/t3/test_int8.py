"""T3 with weights in int8: near float32, and each sequence as if it were alone."""

from dataclasses import replace

import pytest
import torch

from app.core import SamplingParams
from app.engine.checkpoint.source import open_checkpoint
from app.engine.checkpoint.spec import SAMPLING
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import SequenceRequest
from app.engine.t3.teacher_forcing import Spoken, logits_of
from tests.support.engine.int8 import needs_int8
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import CPU, SPECS, request, run_all, settings

pytestmark = needs_int8
TEXTS = (
    "The birch canoe slid on the smooth planks, and the old man waved from the shore.",
    "Glue the sheet to the dark blue background before the paint has dried.",
    "It is easy to tell the depth of a well by the sound of a falling stone.",
    "Four hours of steady work faced us, and none of us had eaten since the morning.",
    "A rod is used to catch pink salmon where the river leaves the hills.",
)


def both(spec) -> tuple[T3Model, T3Model]:
    state = models.upstream_t3(spec).state_dict()
    exact = T3Model(spec, state, CPU, torch.float32)
    return exact, T3Model(spec, state, CPU, torch.float32, in_int8=True)


@pytest.mark.parametrize("family", SPECS)
def test_logits_in_int8_are_near_those_in_float32(family):
    exact, rough = both(SPECS[family])
    one = Spoken(request("a", SamplingParams()), torch.arange(40))
    logits = [logits_of(model, one) for model in (exact, rough)]
    error = (logits[1] - logits[0]).std() / logits[0].std()
    assert error < 0.06
    assert error > 1e-4  # the precisions do differ


@pytest.mark.parametrize("family", SPECS)
@pytest.mark.parametrize("fast", [False, True])
def test_a_sequence_in_a_batch_has_the_tokens_that_it_has_alone(family, fast):
    _, model = both(SPECS[family])
    sampling = replace(SAMPLING[family], max_tokens=25, ignore_eos=True)
    requests = [request(n, replace(sampling, seed=n), voice=n) for n in (1, 2, 3, 4)]
    together = run_all(TokenEngine(model, settings(), fast=fast), requests)
    for one in requests:
        alone = run_all(TokenEngine(model, settings(), fast=fast), [one])
        assert together.ids[one.key, 0] == alone.ids[one.key, 0]


@pytest.mark.full
def test_the_trained_model_draws_the_same_greedy_tokens_in_95_of_100_steps():
    """Over 1,000 steps. Both precisions read the tokens that float32 draws."""
    checkpoint = open_checkpoint("embedded")
    spec, voice = checkpoint.spec, checkpoint.conditionals(checkpoint.voices()[0]).t3
    weights = checkpoint.t3_weights(CPU, torch.float32)
    exact = T3Model(spec.t3, weights, CPU, torch.float32)
    rough = T3Model(spec.t3, weights, CPU, torch.float32, in_int8=True)
    tokenizer = checkpoint.tokenizer()
    sampling = replace(spec.sampling, temperature=0.0, max_tokens=250, ignore_eos=True)
    num_steps = num_agreed = 0
    for number, text in enumerate(TEXTS):
        ids = tokenizer.encode(text, spec.languages[0] if spec.languages else None)
        one = SequenceRequest(models.session(number), 0, ids, voice, sampling)
        tokens = run_all(TokenEngine(exact, settings()), [one]).ids[one.key, 0]
        spoken = Spoken(one, torch.tensor(tokens))
        agreed = logits_of(exact, spoken).argmax(-1) == logits_of(rough, spoken).argmax(-1)
        num_steps += len(agreed)
        num_agreed += int(agreed.sum())
    assert num_steps >= 1000
    assert num_agreed >= 0.95 * num_steps
