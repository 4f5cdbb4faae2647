"""Text becomes upstream's ids, in each family."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy_pkuseg
from chatterbox.models.tokenizers import EnTokenizer, MTLTokenizer
from chatterbox.models.tokenizers import tokenizer as upstream
from chatterbox.mtl_tts import punc_norm as multilingual_punctuation
from chatterbox.tts import punc_norm as english_punctuation
from chatterbox.tts_turbo import punc_norm as turbo_punctuation
from transformers import AutoTokenizer

from app.engine.checkpoint.japanese import UpstreamReader
from app.engine.checkpoint.model_files import PUBLISHED
from app.engine.checkpoint.source import open_checkpoint
from app.engine.checkpoint.spec import Family
from app.engine.checkpoint.tokenizer import TextTokenizer, open_tokenizer
from app.engine.checkpoint.tokenizer_multilingual import MultilingualTokenizer
from app.errors import CheckpointError, UnsupportedField
from tests.support.engine.checkpoint.layouts import write_text_files
from tests.support.engine.checkpoint.tiny import TINY, TINY_TURBO

TEXTS = [
    "hello there",
    "Well… wait: a - b; “quoted”, it\u2019s fine  twice",
    "An em—dash, an en\u2013dash , done!",
    "ends with a dash-",
    "Grüße, 月!",
    "x",
    "",
]


def opened(family: Family, folder: Path) -> TextTokenizer:
    write_text_files(folder, family)
    spec = TINY_TURBO if family == "turbo" else TINY.model_copy(update={"family": family})
    return open_tokenizer(spec, folder, PUBLISHED[family].text)


@pytest.mark.parametrize("text", TEXTS)
def test_english_text_becomes_upstreams_ids(text: str, tmp_path: Path) -> None:
    ours = opened("english", tmp_path)
    theirs = EnTokenizer(str(tmp_path / "tokenizer.json"))
    assert ours.encode(text, None) == tuple(theirs.encode(english_punctuation(text)))


@pytest.fixture
def without_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream's Chinese front end finds its table in `tmp_path`. Its downloaded segmenter is
    replaced by one that cuts after every glyph."""

    class EveryGlyph:
        def cut(self, text: str) -> list[str]:
            return list(text)

    monkeypatch.setattr(spacy_pkuseg, "pkuseg", EveryGlyph)
    monkeypatch.setattr(upstream, "hf_hub_download", lambda filename, **_: str(tmp_path / filename))


@pytest.mark.usefixtures("without_downloads")
@pytest.mark.filterwarnings("ignore")  # the Japanese front end reads its dictionary carelessly
@pytest.mark.parametrize(
    ("text", "language"),
    [
        *((text, "en") for text in TEXTS),
        ("Größe Ä", "de"),
        ("no language at all", None),
        ("가나 다", "ko"),
        ("明 日曰, abc", "zh"),
        ("日本の月火", "ja"),
        ("必ず選ぶ。", "ja"),
        ("кот", "ru"),
        ("שלום", "he"),
    ],
)
def test_multilingual_text_becomes_upstreams_ids(
    text: str, language: str | None, tmp_path: Path
) -> None:
    path = tmp_path / PUBLISHED["multilingual"].text[0]
    write_text_files(tmp_path, "multilingual")
    ours = MultilingualTokenizer(path, japanese=UpstreamReader())
    theirs = MTLTokenizer(str(path))
    ids = theirs.encode(multilingual_punctuation(text), language_id=language)
    assert ours.encode(text, language) == tuple(ids)


def no_network() -> None:
    raise OSError("no network")


def no_package() -> None:
    raise ImportError("no module")


@pytest.mark.parametrize("failure", [no_network, no_package])
def test_chinese_without_its_files_is_refused_and_other_languages_work(
    failure: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = opened("multilingual", tmp_path)
    monkeypatch.setattr(spacy_pkuseg, "pkuseg", failure)
    with pytest.raises(UnsupportedField, match=r"Cangjie5_TC\.json.*pkuseg") as caught:
        tokenizer.encode("明", "zh")
    assert caught.value.param == "language"
    assert len(tokenizer.encode("ok", "en")) > 2


@pytest.mark.parametrize("text", [*TEXTS, "ha [laugh] ha, the end"])
def test_turbo_text_becomes_upstreams_ids(text: str, tmp_path: Path) -> None:
    ours = opened("turbo", tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    theirs.pad_token = theirs.eos_token
    batch = theirs(turbo_punctuation(text), return_tensors="pt", padding=True, truncation=True)
    assert ours.encode(text, None) == tuple(batch.input_ids[0].tolist())


def test_turbo_encodes_a_tag_as_one_id(tmp_path: Path) -> None:
    tokenizer = opened("turbo", tmp_path)
    with_tag, without = tokenizer.encode("A [laugh] b", None), tokenizer.encode("A b", None)
    assert len(with_tag) == len(without) + 2  # the tag and the space before it


def test_turbo_applies_its_merges(tmp_path: Path) -> None:
    tokenizer = opened("turbo", tmp_path)
    assert len(tokenizer.encode("He", None)) == len(tokenizer.encode("he", None))  # capitalised
    assert len(tokenizer.encode("Ahe", None)) == len(tokenizer.encode("Axe", None)) - 1


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(tmp_path: Path) -> None:
    write_text_files(tmp_path, "turbo")
    t3 = TINY_TURBO.t3.model_copy(update={"text_vocab": 100})
    with pytest.raises(CheckpointError, match="259 text ids where the model has 100"):
        open_tokenizer(TINY_TURBO.model_copy(update={"t3": t3}), tmp_path, PUBLISHED["turbo"].text)


def test_a_json_file_without_a_vocabulary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(CheckpointError, match="no vocabulary"):
        open_tokenizer(TINY, tmp_path, ("tokenizer.json",))


@pytest.mark.parametrize("name", ["embedded-babble", "embedded-turbo"])
def test_embedded_tokenizers_know_every_latin_letter(name: str) -> None:
    tokenizer = open_checkpoint(name).tokenizer()
    text = 'The quick brown fox jumps over 12 lazy dogs; she said: "don\'t?" Déjà vu!'
    ids = tokenizer.encode(text, None)
    assert len(ids) > len(text) * 0.9
    unknown = 1 if name == "embedded-babble" else 0
    assert unknown not in ids
