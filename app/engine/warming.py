"""A replica's first words, heard by nobody.

Libraries load and plan in their first call. A replica that has spoken before it is ready keeps no
session waiting for that: one that is added under load relieves the others at once.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from app.core import FinishReason, SessionKey, SpeechTokens
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.listening import Item
from app.engine.loop import Engine
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.messages import OpenSegment, PushTokens, VocoderMessage
from app.engine.t3.engine import TokenEngine
from app.engine.t3.sequence import AddSequence
from app.engine.voice_book import VoiceBook

KEY = SessionKey("", "first-words")  # no caller's: a tenant has a name
TEXT = "Hello there."
NUM_STEPS = 4
NUM_VOICED = 64  # tokens: cells of every length up to the longest usual one

MessageT = TypeVar("MessageT")
ItemT = TypeVar("ItemT", bound=Item)


def warm_t3(
    engine: TokenEngine, spec: ModelSpec, tokenizer: TextTokenizer, voices: VoiceBook
) -> None:
    """A model without a voice of its own stays cold. Before the engine's loop starts."""
    for voice in voices.own()[:1]:
        language = spec.languages[0] if spec.languages else None
        text_ids = tokenizer.encode(TEXT, language)
        sampling = replace(spec.sampling, max_tokens=NUM_STEPS, ignore_eos=True)
        t3 = voices.get(voice).t3
        _speak(engine, [AddSequence(KEY, 0, text_ids, t3, voice, sampling)])


def warm_vocoder(engine: VocoderEngine, voices: VoiceBook) -> None:
    """As `warm_t3`."""
    for voice in voices.own()[:1]:
        s3gen = voices.get(voice).s3gen
        tokens = SpeechTokens(KEY, 0, 0, tuple(range(NUM_VOICED)), FinishReason.STOP)
        opened = OpenSegment(KEY, 0, voice, s3gen, seed=1, fade_in=True)
        messages: list[VocoderMessage] = [opened, PushTokens(tokens)]
        _speak(engine, messages)


def _speak(engine: Engine[MessageT, ItemT], messages: Sequence[MessageT]) -> None:
    for message in messages:
        engine.receive(message)
    while engine.has_work():
        engine.step()
