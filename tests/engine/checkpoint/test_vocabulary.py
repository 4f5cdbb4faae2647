"""What a model can read, from the files of its vocabulary."""

import json

import pytest

from app.engine.checkpoint.find_model import card_of, find_model
from app.engine.checkpoint.tokenizer import EnglishTokenizer
from app.engine.checkpoint.vocabulary import read_vocabulary_of
from app.errors import CheckpointError

MARKS = "…:;—–“”‘’"  # noqa: RUF001 - the punctuation rules of upstream write them as others


def vocabulary(folder, name="tokenizer.json", **content):
    (folder / name).write_text(json.dumps(content))
    return folder


def test_the_characters_are_those_with_a_token_and_those_that_become_them(tmp_path):
    vocabulary(tmp_path, model={"vocab": {char: n for n, char in enumerate(["a", ",", "-", "th"])}})
    readable = read_vocabulary_of(tmp_path, ("tokenizer.json",), "english")
    assert readable.characters is not None
    assert set(readable.characters) == set("a,- …:;—–")  # noqa: RUF001
    assert readable.tags == ()


def test_a_model_of_bytes_reads_all_and_its_added_tokens_are_tags(tmp_path):
    vocabulary(tmp_path, "vocab.json", a=1, b=2)
    vocabulary(tmp_path, "added_tokens.json", **{"[sigh]": 3, "[clear throat]": 4, "<|end|>": 5})
    files = ("vocab.json", "merges.txt", "added_tokens.json")
    readable = read_vocabulary_of(tmp_path, files, "turbo")
    assert (readable.characters, readable.tags) == (None, ("clear throat", "sigh"))


def test_the_cards_of_the_packaged_models_say_what_they_read():
    assert "laugh" in card_of(find_model("embedded-turbo")).tags
    card = card_of(find_model("embedded"))
    assert card.characters is not None
    assert set(MARKS) <= set(card.characters)
    assert "🙂" not in card.characters
    assert not card.tags


def test_a_model_has_a_token_for_each_character_of_its_card():
    model = find_model("embedded")
    tokenizer = EnglishTokenizer(model.folder / "tokenizer.json")
    unknown = tokenizer.encode("a\u0416b.", None)[1]
    for char in card_of(model).characters or "":
        assert unknown not in tokenizer.encode(f"a{char}b.", None), char


def test_a_truncated_vocabulary_is_named(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"model"')
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        read_vocabulary_of(tmp_path, ("tokenizer.json",), "english")


def test_a_missing_vocabulary_is_reported_where_it_is_loaded(tmp_path):
    assert read_vocabulary_of(tmp_path, ("tokenizer.json",), "english").characters is None
