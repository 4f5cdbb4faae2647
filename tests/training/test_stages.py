"""Every stage at a small size, and the equality of training and inference."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from chatterbox.models.t3.modules.cond_enc import T3Cond

from app.core import NUM_SPEECH_IDS
from app.engine.checkpoint.build_enrolment import build_speech_tokenizer
from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.source import open_checkpoint
from tests.support.engine.checkpoint.tiny import TINY
from training import (
    assemble,
    finetune_hift,
    flow,
    hift,
    read_tokens,
    resume,
    synthesise_corpus,
    t3,
    tokenizer,
    voices,
)
from training.corpus import Sentence
from training.speech import TOKENS, Speech
from training.synthesise_corpus import flite

needs_teacher = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
LONG = "The train to the coast leaves at a quarter past nine in the morning, number {}."
SHORT = "Thank you, {}."
PER_PART = 12


def some_sentences(seed: int, num_sentences: int) -> list[Sentence]:
    """In place of the corpus, which takes seconds to read: long and short sentences in turn. The
    first one, which is the validation set, is long enough for every stage."""
    texts = [(SHORT if number % 2 else LONG).format(number) for number in range(num_sentences)]
    return [Sentence("spoken", text) for text in texts]


def run(stage: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["stage", "--processes", "1", *arguments])
    stage.main()


def hours(num_parts: int) -> str:
    return str(num_parts * PER_PART / synthesise_corpus.SENTENCES_PER_HOUR)


@pytest.fixture(scope="module")
def small_stages() -> Iterator[pytest.MonkeyPatch]:
    """The stages train the tiny model on a few sentences."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for module in (tokenizer, read_tokens, hift, flow, finetune_hift, t3, voices, assemble):
            monkeypatch.setattr(module, "read_model", lambda: TINY)
        monkeypatch.setattr(synthesise_corpus, "SENTENCES_PER_PART", PER_PART)
        monkeypatch.setattr(synthesise_corpus, "corpus", some_sentences)
        monkeypatch.setattr(voices, "NUM_REFERENCES", 2)
        yield monkeypatch


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, small_stages: pytest.MonkeyPatch) -> Path:
    """The folder after stages 0, 1 and 1c: audio of two parts, and tokens of three."""
    folder = tmp_path_factory.mktemp("work")
    given = ("--folder", str(folder))
    unsorted = ("--voices", "slt,rms")
    run(synthesise_corpus, small_stages, *given, "--hours", hours(2), *unsorted)
    run(tokenizer, small_stages, *given, "--steps", "2")
    run(read_tokens, small_stages, *given, "--hours", hours(3))
    return folder


@needs_teacher
def test_all_stages_make_a_model(work: Path, small_stages: pytest.MonkeyPatch, tmp_path: Path):
    folder, out = tmp_path / "work", tmp_path / "model"
    shutil.copytree(work, folder)
    run(voices, small_stages, "--folder", str(folder))
    for stage in (hift, flow, finetune_hift, t3):
        run(stage, small_stages, "--folder", str(folder), "--steps", "1")
    run(assemble, small_stages, "--folder", str(folder), "--out", str(out))
    source = open_checkpoint(str(out))
    source.verify()
    assert source.voices() == ("ada", "bela")

    anew, same = tmp_path / "anew", tmp_path / "same"
    shutil.copytree(folder / "data", anew / "data")
    run(resume, small_stages, "--folder", str(anew), "--model", str(out))
    run(assemble, small_stages, "--folder", str(anew), "--out", str(same))
    for weights in out.glob("*.safetensors"):
        assert (same / weights.name).read_bytes() == weights.read_bytes()
    run(t3, small_stages, "--folder", str(anew), "--steps", "1", "--rate", "1e-4")
    run(assemble, small_stages, "--folder", str(anew), "--out", str(same))
    assert (same / "t3.safetensors").read_bytes() != (out / "t3.safetensors").read_bytes()


@needs_teacher
def test_the_files_of_an_utterance_have_its_length(work: Path):
    speech = Speech(work, ("audio", "mel", "pitch", "phone", TOKENS))
    assert len(speech.utterances) == 2 * PER_PART
    assert set(speech.training().tolist()).isdisjoint(speech.validation().tolist())
    for index, utterance in enumerate(speech.utterances):
        assert len(speech.whole("audio", index)) == 480 * utterance.num_frames
        assert speech.whole("mel", index).shape == (utterance.num_frames, 80)
        assert len(speech.whole("pitch", index)) == utterance.num_frames
        assert len(speech.whole(TOKENS, index)) * 2 == utterance.num_frames
    assert len(Speech(work, ("phone", TOKENS)).utterances) == 3 * PER_PART


@needs_teacher
def test_a_part_has_the_same_audio_whichever_stage_reads_it(
    work: Path, small_stages: pytest.MonkeyPatch, tmp_path: Path
):
    """The tokens of a part stay right when its audio is made later."""
    shutil.copytree(work / "data", tmp_path / "data")
    last = sorted((tmp_path / "data").glob("*.jsonl"))[-1]
    before = {name: last.with_suffix(f".{name}").read_bytes() for name in ("jsonl", "phone")}
    assert not last.with_suffix(".audio").exists()
    given = ("--folder", str(tmp_path), "--voices", "rms,slt")
    run(synthesise_corpus, small_stages, *given, "--hours", hours(3))
    for name, content in before.items():
        assert last.with_suffix(f".{name}").read_bytes() == content
    num_samples = last.with_suffix(".audio").stat().st_size // 2
    tokens = last.with_suffix(f".{TOKENS}")
    assert tokens.stat().st_size // 2 == num_samples // 960

    tokens.write_bytes(tokens.read_bytes()[:-2])  # would shift all later tokens
    with pytest.raises(ValueError, match="has not the length of"):
        Speech(tmp_path, (TOKENS,)).whole(TOKENS, 0)


@needs_teacher
def test_the_teacher_gives_the_end_of_each_phone():
    wav, phones = flite("hello", "rms")
    names = [name for name, _ in phones]
    assert names[0] == names[-1] == "pau"
    assert {"hh", "l", "ow"} <= set(names)
    ends = [end for _, end in phones]
    assert ends == sorted(ends)
    assert ends[-1] == pytest.approx(len(wav) / 24_000, abs=0.05)


def test_the_codes_in_training_equal_upstreams():
    torch.manual_seed(1)
    upstream = build_speech_tokenizer(TINY.s3gen.tokenizer)
    learner = tokenizer.TokenizerWithDecoder(upstream, num_voices=2).eval()
    mels = torch.randn(3, 128, 80)
    lengths = torch.full((3,), 80)
    ids, _ = upstream.quantize(mels, lengths)
    assert torch.equal(tokenizer.ids_of(learner.digits(mels, lengths).detach()), ids.long())
    every = torch.arange(NUM_SPEECH_IDS)
    assert torch.equal(tokenizer.ids_of(tokenizer.digits_of_codec()), every)


def test_the_gradient_passes_through_the_rounding():
    torch.manual_seed(1)
    learner = tokenizer.TokenizerWithDecoder(
        build_speech_tokenizer(TINY.s3gen.tokenizer), num_voices=1
    )
    learner.digits(torch.randn(1, 128, 40), torch.tensor([40])).sum().backward()
    gradient = learner.tokenizer.quantizer._codebook.project_down.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_t3_sees_the_same_sequence_in_training_and_at_inference():
    torch.manual_seed(1)
    model = t3.initialise(build_t3(TINY.t3))
    learner = t3.T3WithPhoneHead(model).eval()
    num_text, num_speech = torch.tensor([7, 11]), torch.tensor([7, 3])
    text = torch.randint(3, 200, (2, 11))
    text[:, 0], text[0, 6], text[1, 10] = t3.START, t3.STOP, t3.STOP
    speech = torch.randint(NUM_SPEECH_IDS, (2, 7))
    batch = t3.Batch(
        text=text,
        num_text=num_text,
        speech=speech,
        num_speech=num_speech,
        phones=torch.zeros(2, 7, 2, dtype=torch.long),
        prompt=torch.randint(NUM_SPEECH_IDS, (2, 20)),
        speaker=torch.randn(2, 256),
        guide=torch.ones(2),
    )
    with torch.no_grad():
        hidden = learner.hidden(batch)
        for at in range(2):
            own_text = text[at, : num_text[at]]
            cond = T3Cond(
                speaker_emb=batch.speaker[at, None],
                cond_prompt_speech_tokens=batch.prompt[at, None],
                emotion_adv=torch.full((1, 1, 1), t3.EXAGGERATION),
            )
            start = torch.tensor([[model.hp.start_speech_token]])
            embedded, _ = model.prepare_input_embeds(
                t3_cond=cond, text_tokens=own_text[None], speech_tokens=start
            )
            said = [model.speech_emb(start) + model.speech_pos_emb.get_fixed_embedding(0)]
            for i, token in enumerate(speech[at, : num_speech[at]]):
                said.append(
                    model.speech_emb(token[None, None])
                    + model.speech_pos_emb.get_fixed_embedding(i + 1)
                )
            inputs = torch.cat([embedded, *said], 1)
            expected = model.tfmr(inputs_embeds=inputs).last_hidden_state[0, -len(said) :]
            torch.testing.assert_close(hidden[at, : len(said)], expected, rtol=1e-4, atol=1e-4)


def test_the_losses_of_t3_cover_tokens_phones_and_the_stop():
    torch.manual_seed(1)
    learner = t3.T3WithPhoneHead(t3.initialise(build_t3(TINY.t3))).eval()
    seen = {}
    learner.t3.speech_head.register_forward_hook(lambda _, given, out: seen.update(hidden=given[0]))
    batch = t3.Batch(
        text=torch.tensor([[255, 5, 6, 0], [255, 7, 0, 9]]),
        num_text=torch.tensor([4, 3]),
        speech=torch.tensor([[11, 12, 13], [21, 99, 99]]),
        num_speech=torch.tensor([3, 1]),
        phones=torch.ones(2, 3, 2, dtype=torch.long),
        prompt=torch.randint(NUM_SPEECH_IDS, (2, 20)),
        speaker=torch.randn(2, 256),
        guide=torch.tensor([1.0, 0.0]),
    )
    stop = TINY.t3.stop_speech_token
    losses, _ = t3.losses_of(learner, batch, stop)
    hidden = learner.hidden(batch)
    rows = torch.cat([hidden[0, :4], hidden[1, :2]])
    assert torch.equal(seen["hidden"], rows)
    targets = torch.tensor([11, 12, 13, stop, 21, stop])
    expected = torch.nn.functional.cross_entropy(learner.t3.speech_head(rows), targets)
    torch.testing.assert_close(losses["token"], expected)
    # A row without text has no phone loss, and neither has the stop.
    logits = learner.phones(hidden[0, :3]).reshape(6, -1)
    phones = torch.nn.functional.cross_entropy(logits, torch.ones(6, dtype=torch.long))
    torch.testing.assert_close(losses["phone"], t3.PHONE_WEIGHT * phones)
