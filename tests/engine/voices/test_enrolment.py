"""Our enrolment gives upstream's conditionals, and leaves every module unchanged."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pyloudnorm
import pytest
import soundfile
import torch
from chatterbox.mtl_tts import ChatterboxMultilingualTTS
from chatterbox.tts import ChatterboxTTS
from chatterbox.tts_turbo import ChatterboxTurboTTS

from app.engine.checkpoint.build_enrolment import build_voice_encoder
from app.engine.checkpoint.components import EnrolmentModels
from app.engine.checkpoint.full_size import ENGLISH
from app.engine.voices import enrolment
from app.engine.voices.enrolment import prepare
from app.engine.voices.reference_audio import ReferenceAudio, read_reference
from app.errors import BadRequest
from app.voices.decoder import Purpose
from tests.support.audio_samples import spoken_vowels
from tests.support.engine.checkpoint.tiny import TINY
from tests.support.engine.checkpoint.whole_s3gen import build_s3gen
from tests.support.engine.conditionals import assert_same
from tests.support.hostile_uploads import encoded

# Upstream calls librosa.load, which imports audioread; our enrolment does not call it.
pytestmark = pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated")

UPSTREAM = {
    "english": ChatterboxTTS,
    "multilingual": ChatterboxMultilingualTTS,
    "turbo": ChatterboxTurboTTS,
}
PROMPT_LEN = {"english": 150, "multilingual": 150, "turbo": 375}


class WeakMeter(pyloudnorm.Meter):
    """Gives upstream's turbo Python floats. Under numpy 1, which it pins, float32 samples times a
    float64 scalar are float32. Under numpy 2 they are float64, and upstream fails."""

    def integrated_loudness(self, data):
        return float(super().integrated_loudness(data))


@pytest.fixture(autouse=True)
def _numpy_1_scalars(monkeypatch):
    monkeypatch.setattr("chatterbox.tts_turbo.ln", SimpleNamespace(Meter=WeakMeter))


class Modules:
    """One set of modules, for upstream's enrolment and for ours."""

    def __init__(self, spec, voice_encoder_dim):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.s3gen = build_s3gen(spec)
            self.voice_encoder = build_voice_encoder(voice_encoder_dim)

    def ours(self, family):
        return EnrolmentModels(
            self.voice_encoder,
            self.s3gen.tokenizer,
            self.s3gen.speaker_encoder,
            PROMPT_LEN[family],
        )

    def upstreams(self, family):
        tts = UPSTREAM[family].__new__(UPSTREAM[family])  # its __init__ only adds a watermarker
        tts.s3gen, tts.ve, tts.device = self.s3gen, self.voice_encoder, "cpu"
        tts.t3 = SimpleNamespace(hp=SimpleNamespace(speech_cond_prompt_len=PROMPT_LEN[family]))
        return tts

    def fingerprint(self):
        """A digest of every tensor and attribute of the modules."""
        digest = hashlib.sha256()
        for module in (self.s3gen, self.voice_encoder):
            for name, tensor in module.state_dict().items():
                digest.update(name.encode())
                digest.update(tensor.cpu().numpy().tobytes())
            for child in module.modules():
                digest.update(repr(sorted(vars(child))).encode())
        digest.update(repr(self.s3gen.resamplers).encode())
        return digest.hexdigest()


@pytest.fixture(scope="module")
def tiny():
    return Modules(TINY.s3gen, TINY.voice_encoder_dim)


@pytest.fixture
def record(tmp_path):
    """Writes a recording and returns its path."""

    def write(seed, seconds, sample_rate=24_000, channels=1):
        wav = np.stack([spoken_vowels(seed + c, seconds, sample_rate) for c in range(channels)], 1)
        path = tmp_path / f"{seed}-{seconds}-{sample_rate}-{channels}.wav"
        soundfile.write(path, wav, sample_rate, subtype="FLOAT")
        return path

    return write


def recording_at(path):
    return read_reference(path.read_bytes(), Purpose.WHOLE, str(path))


def assert_equals_upstream(modules, family, path):
    tts = modules.upstreams(family)
    tts.prepare_conditionals(str(path))
    theirs = tts.conds
    ours = prepare(recording_at(path), modules.ours(family), family, "ann", "upstream")
    num_frames = 2 * len(ours.s3gen.prompt_tokens)
    assert theirs.gen["prompt_feat"].shape[1] - num_frames in (0, 1)
    expected = {
        "t3.speaker_emb": (ours.t3.speaker_emb, theirs.t3.speaker_emb),
        "t3.prompt_tokens": (ours.t3.prompt_tokens, theirs.t3.cond_prompt_speech_tokens),
        "s3gen.prompt_tokens": (ours.s3gen.prompt_tokens, theirs.gen["prompt_token"]),
        "s3gen.prompt_mel": (ours.s3gen.prompt_mel, theirs.gen["prompt_feat"][:, :num_frames]),
        "s3gen.speaker_emb": (ours.s3gen.speaker_emb, theirs.gen["embedding"]),
    }
    for name, (mine, upstreams) in expected.items():
        assert mine.dtype == upstreams.dtype, name
        assert torch.equal(mine[None], upstreams), name
        assert mine.is_contiguous(), name
        assert not mine.requires_grad, name
        assert not mine.is_inference(), name
    return ours


@pytest.mark.full
@pytest.mark.parametrize("family", UPSTREAM)
@pytest.mark.parametrize(
    "recording",
    [(17.0, 24_000, 1), (7.3, 44_100, 2), (11.01, 16_000, 1)],  # seconds, rate, channels
    ids=["longer than every window", "stereo, shorter than the windows", "upsampled"],
)
def test_every_field_equals_upstreams(tiny, record, family, recording):
    ours = assert_equals_upstream(tiny, family, record(3, *recording))
    seconds = recording[0]
    assert len(ours.t3.prompt_tokens) == min(PROMPT_LEN[family], int(np.ceil(seconds * 25)))
    assert len(ours.s3gen.prompt_tokens) == min(250, int(seconds * 25))
    assert len(ours.t3.prompt_tokens.unique()) > 5, "the tokens hardly vary"


@pytest.mark.long
@pytest.mark.parametrize("family", ["english", "turbo"])
def test_every_field_equals_upstreams_at_full_size(record, family):
    modules = Modules(ENGLISH.s3gen, ENGLISH.voice_encoder_dim)
    assert_equals_upstream(modules, family, record(3, 8.0))


def test_enrolment_changes_no_module_and_not_the_recording(tiny, record):
    recording = recording_at(record(4, 6.5))
    before, samples = tiny.fingerprint(), recording.wav.copy()
    prepare(recording, tiny.ours("turbo"), "turbo", "ann")
    assert tiny.fingerprint() == before
    assert np.array_equal(recording.wav, samples)


def test_the_fingerprint_finds_a_change(tiny):
    before = tiny.fingerprint()
    tiny.voice_encoder.seen = True
    assert tiny.fingerprint() != before
    del tiny.voice_encoder.seen
    with torch.no_grad():
        tiny.voice_encoder.proj.bias[0] += 1e-3
    assert tiny.fingerprint() != before
    with torch.no_grad():
        tiny.voice_encoder.proj.bias[0] -= 1e-3


def test_voices_enrolled_at_once_equal_voices_enrolled_alone(tiny, record):
    recordings = [recording_at(record(seed, 5.5 + seed / 10)) for seed in range(10, 14)]
    models = tiny.ours("turbo")

    def enrol(index):
        return prepare(recordings[index], models, "turbo", str(index))

    alone = [enrol(index) for index in range(4)]
    start = threading.Barrier(4)

    def enrol_together(index):
        start.wait(timeout=60)
        return enrol(index)

    with ThreadPoolExecutor(4) as pool:
        for solo, together in zip(alone, pool.map(enrol_together, range(4)), strict=True):
            assert_same(together, solo)
    assert not torch.equal(alone[0].t3.speaker_emb, alone[1].t3.speaker_emb)


def silence(seconds):
    return np.zeros(round(seconds * 24_000), np.float32)


PLAIN = np.concatenate([silence(0.5), spoken_vowels(5, 7.0), silence(0.5)])
OTHER_RECORDINGS = {  # of the same speech
    "ten seconds of silence first": np.concatenate([silence(10), PLAIN]),
    "silence behind it": np.concatenate([PLAIN, silence(10)]),
    "quiet, -48 dBFS": PLAIN * np.float32(10 ** (-32 / 20)),
    "loud": PLAIN * np.float32(1.9),
    "an offset": PLAIN + np.float32(0.2),
    "quiet, an offset and silence": np.concatenate([silence(4), PLAIN / 20]) + np.float32(0.05),
}


def distance(one, other):
    """Of the speaker and of the prompt, 0 where they are the same."""
    speaker = torch.cosine_similarity(one.t3.speaker_emb, other.t3.speaker_emb, dim=0)
    num = min(len(one.s3gen.prompt_mel), len(other.s3gen.prompt_mel))
    prompt = (one.s3gen.prompt_mel[:num] - other.s3gen.prompt_mel[:num]).abs().mean()
    return max(1 - float(speaker), float(prompt))


@pytest.mark.parametrize("family", UPSTREAM)
@pytest.mark.parametrize("name", OTHER_RECORDINGS)
def test_the_same_speech_gives_the_same_voice_however_it_was_recorded(tiny, family, name):
    def enrolled(wav, enrolment):
        purpose = Purpose.SPOKEN if enrolment == "speech" else Purpose.WHOLE
        recording = read_reference(encoded(wav, subtype="FLOAT"), purpose, "ann.wav")
        return prepare(recording, tiny.ours(family), family, "ann", enrolment)

    other = OTHER_RECORDINGS[name]
    assert distance(enrolled(PLAIN, "speech"), enrolled(other, "speech")) < 0.02
    if family == "english" and name != "silence behind it":  # the control
        assert distance(enrolled(PLAIN, "upstream"), enrolled(other, "upstream")) > 0.05


@pytest.mark.parametrize("family", UPSTREAM)
def test_every_voice_has_the_level_of_upstreams_turbo(tiny, family, monkeypatch):
    heard = []
    for_s3gen = enrolment._for_s3gen

    def listening(wav, models):
        heard.append(wav)
        return for_s3gen(wav, models)

    monkeypatch.setattr(enrolment, "_for_s3gen", listening)
    prepare(ReferenceAudio(PLAIN, 24_000, "ann.wav"), tiny.ours(family), family, "ann")
    assert pyloudnorm.Meter(24_000).integrated_loudness(heard[0]) == pytest.approx(-27, abs=0.1)
    assert abs(heard[0].mean()) < 1e-6


def test_turbo_needs_more_than_five_seconds(tiny):
    models = tiny.ours("turbo")
    short, enough = (ReferenceAudio(spoken_vowels(1, s), 24_000, "ann.wav") for s in (5.0, 5.2))
    with pytest.raises(BadRequest, match="voice 'ann' must be longer than 5 s") as error:
        prepare(short, models, "turbo", "ann")
    assert error.value.param == "voice"
    prepare(enough, models, "turbo", "ann")
