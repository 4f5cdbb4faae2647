"""The text tokenizers of the embedded models, in upstream's file formats."""

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from app.engine.checkpoint.spec import ModelSpec

TURBO_TAGS = ("[laugh]", "[chuckle]", "[cough]", "[sigh]", "[gasp]", "[clear throat]")


def save_letter_tokenizer(folder: Path, spec: ModelSpec) -> None:
    """One id per letter, with the special tokens of upstream's English tokenizer."""
    letters = [chr(code) for code in (*range(0x21, 0x7F), *range(0xA1, 0x100))]
    vocabulary = {"[UNK]": 1, "[SPACE]": 2}
    vocabulary |= {letter: index for index, letter in enumerate(letters, start=3)}
    vocabulary |= {"[STOP]": spec.t3.stop_text_token, "[START]": spec.t3.start_text_token}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.add_special_tokens(["[STOP]", "[UNK]", "[SPACE]", "[START]"])
    tokenizer.save(str(folder / "tokenizer.json"))


def save_byte_tokenizer(folder: Path, _spec: ModelSpec) -> None:
    """GPT-2's byte alphabet without merges, and some of turbo's tags."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<|endoftext|>": 0}
    vocabulary |= {letter: index for index, letter in enumerate(alphabet, start=1)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in TURBO_TAGS])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        unk_token="<|endoftext|>",
    ).save_pretrained(folder)
