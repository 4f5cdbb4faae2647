"""An engine is warm before it takes a session, and holds nothing of its warm-up."""

import torch

from app.config import T3Settings, VocoderSettings
from app.engine.checkpoint.source import open_checkpoint
from app.engine.s3gen.engine import build_vocoder_engine
from app.engine.s3gen.warmup import NUM_VOICED, warm_vocoder
from app.engine.t3.engine import TokenEngine
from app.engine.t3.warmup import NUM_STEPS, warm_t3
from app.engine.voices.provider import VoiceProvider
from app.engine.warmup import WARMUP_KEY

CPU = torch.device("cpu")


def test_warm_t3_runs_a_prompt_and_steps_and_leaves_nothing():
    checkpoint = open_checkpoint("embedded-babble")
    rows: list[int] = []
    weights = checkpoint.t3_weights(CPU, torch.float32)
    engine = TokenEngine.from_weights(
        weights,
        checkpoint.spec,
        T3Settings(),
        on_step=lambda sequences: rows.append(len(sequences)),
    )
    warm_t3(engine, checkpoint.spec, checkpoint.tokenizer(), VoiceProvider(checkpoint, None))
    assert rows == [1] * NUM_STEPS
    assert not engine.has_work()
    engine.check_integrity()


def test_warm_vocoder_runs_cells_of_every_usual_length_and_leaves_nothing():
    checkpoint = open_checkpoint("embedded-turbo")
    settings = VocoderSettings()
    vocoder = checkpoint.load_vocoder(CPU)
    engine = build_vocoder_engine(vocoder, settings, checkpoint.spec.s3gen.euler_steps)
    warm_vocoder(engine, VoiceProvider(checkpoint, None))
    cells = [call.cell for call in engine.call_log if call.key == WARMUP_KEY]
    assert cells[0].end == settings.first_cell
    assert cells[-1].end == NUM_VOICED
    assert not engine.has_work()
    assert engine.stats().slots_free == settings.slots
    engine.check_integrity()
