"""What a recogniser of speech is, and where each is found.

Imports little, for the sake of a worker's start. Knows nothing about calls or hosts.
"""

import importlib
from typing import Protocol, cast

from app.errors import ConfigError


class Recogniser(Protocol):
    """One stream of 16 kHz s16le. Used by one thread. An utterance is open from its first `accept`
    to `final` or `abort`."""

    def accept(self, pcm: bytes) -> str | None:
        """All words of the utterance so far, where they have changed."""
        ...

    def final(self) -> str:
        """Ends the utterance and returns its words; "" without an open utterance."""
        ...

    def abort(self) -> None:
        """Drops the open utterance. Changes nothing without one."""
        ...

    def live(self) -> bool:
        """Whether an utterance is open."""
        ...

    def forget(self) -> None:
        """Drops all that was learnt of the speaker. The next utterance is another caller's."""
        ...


class RecogniserMaker(Protocol):
    def __call__(self, model: str | None) -> Recogniser:
        """`model` is a local folder. Raises ConfigError."""
        ...


MAKERS = {
    "pocketsphinx": "app.hearing.pocketsphinx_recogniser:PocketsphinxRecogniser",
    "sherpa-onnx": "app.hearing.sherpa_recogniser:SherpaRecogniser",
}


def load_maker(path: str) -> RecogniserMaker:
    """`path` is module:name. The module, and the library behind it, is imported here: processes
    without a recogniser never import one. Raises ConfigError."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ConfigError(f"hearing.recogniser: {error}") from error
    return cast(RecogniserMaker, found)
