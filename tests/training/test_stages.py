"""Every stage from nothing, at a small size; and that they teach what will be asked."""

import shutil
import sys
from pathlib import Path

import pytest
import torch
from chatterbox.models.t3.modules.cond_enc import T3Cond

from app.core import NUM_SPEECH_IDS
from app.engine.checkpoint.build_enrolment import build_speech_tokenizer
from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.local import open_folder
from tests.engine.checkpoint.tiny import TINY
from training import assemble, flow, hift, t3, teach, tokenizer, voices
from training.corpus import WORDNET
from training.speech import Speech
from training.teach import flite

needs_teacher = pytest.mark.skipif(
    shutil.which("flite") is None or not WORDNET.exists(),
    reason="flite and wordnet-base are not installed",
)


def run(stage: object, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["stage", "--processes", "1", *arguments])
    stage.main()


@needs_teacher
def test_a_model_is_made_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for module in (tokenizer, hift, flow, t3, voices, assemble):
        monkeypatch.setattr(module, "read_model", lambda: TINY)
    work, out = str(tmp_path / "work"), tmp_path / "model"
    run(teach, monkeypatch, "--folder", work, "--hours", "0.08", "--voices", "rms,slt")
    run(tokenizer, monkeypatch, "--folder", work, "--steps", "2")
    run(voices, monkeypatch, "--folder", work)
    for stage in (hift, flow, t3):
        run(stage, monkeypatch, "--folder", work, "--steps", "1")
    run(assemble, monkeypatch, "--folder", work, "--out", str(out))

    source = open_folder(out)
    source.verify()
    assert source.voices() == ("ada", "bela")
    speech = Speech(tmp_path / "work")
    assert set(speech.trained()).isdisjoint(speech.checked())
    for index, utterance in enumerate(speech.utterances):
        assert len(speech.audio(index)) == 480 * utterance.num_frames
        assert len(speech.mel(index)) == len(speech.pitch(index)) == utterance.num_frames
        assert len(speech.tokens(index)) * 2 == utterance.num_frames


@needs_teacher
def test_the_teacher_says_which_phone_is_when():
    wav, phones = flite("hello", "rms")
    names = [name for name, _ in phones]
    assert names[0] == names[-1] == "pau"
    assert {"hh", "l", "ow"} <= set(names)
    ends = [end for _, end in phones]
    assert ends == sorted(ends)
    assert ends[-1] == pytest.approx(len(wav) / 24_000, abs=0.05)


def test_codes_in_training_are_those_of_upstreams_tokenizer():
    torch.manual_seed(1)
    upstream = build_speech_tokenizer(TINY.s3gen.tokenizer)
    learner = tokenizer.Learner(upstream, num_voices=2).eval()
    mels = torch.randn(3, 128, 80)
    lengths = torch.full((3,), 80)
    ids, _ = upstream.quantize(mels, lengths)
    assert torch.equal(tokenizer.ids_of(learner.digits(mels, lengths).detach()), ids.long())
    every = torch.arange(NUM_SPEECH_IDS)
    assert torch.equal(tokenizer.ids_of(tokenizer.digits_of_codec()), every)


def test_the_gradient_passes_through_the_rounding():
    torch.manual_seed(1)
    learner = tokenizer.Learner(build_speech_tokenizer(TINY.s3gen.tokenizer), num_voices=1)
    learner.digits(torch.randn(1, 128, 40), torch.tensor([40])).sum().backward()
    gradient = learner.tokenizer.quantizer._codebook.project_down.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_the_sequence_that_t3_learns_is_the_one_it_is_asked_for_at_inference():
    torch.manual_seed(1)
    model = t3.begun(build_t3(TINY.t3))
    learner = t3.Learner(model).eval()
    rows = []
    for num_text, num_speech in ((5, 7), (9, 3)):
        row = t3.Row(
            torch.tensor([255, *range(3, 3 + num_text), 0]),
            torch.randint(NUM_SPEECH_IDS, (num_speech,)),
            torch.zeros(num_speech, 2, dtype=torch.long),
            torch.randn(256),
        )
        row.prompt = torch.randint(NUM_SPEECH_IDS, (20,))
        rows.append(row)
    with torch.no_grad():
        hidden, spans = learner.hidden(rows)
        for at, row in enumerate(rows):
            cond = T3Cond(
                speaker_emb=row.speaker[None],
                cond_prompt_speech_tokens=row.prompt[None],
                emotion_adv=torch.full((1, 1, 1), t3.EXAGGERATION),
            )
            start = torch.tensor([[model.hp.start_speech_token]])
            embedded, _ = model.prepare_input_embeds(
                t3_cond=cond, text_tokens=row.text[None], speech_tokens=start
            )
            said = [model.speech_emb(start) + model.speech_pos_emb.get_fixed_embedding(0)]
            for i, token in enumerate(row.speech):
                said.append(
                    model.speech_emb(token[None, None])
                    + model.speech_pos_emb.get_fixed_embedding(i + 1)
                )
            inputs = torch.cat([embedded, *said], 1)
            expected = model.tfmr(inputs_embeds=inputs).last_hidden_state[0, -len(said) :]
            torch.testing.assert_close(hidden[at, spans[at]], expected, rtol=1e-4, atol=1e-4)
