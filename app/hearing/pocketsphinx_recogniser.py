"""pocketsphinx: English, embedded, its model is in the wheel. A decoder takes 90 MB, and 0.3 s
to be made.

Its calls hold Python's global lock (5.1.1, measured 2026-11-30): two decoders in one process do not
run at the same time, and every other thread of the process waits for up to 40 ms.
"""

from pocketsphinx import Decoder

from app.errors import ConfigError
from app.hearing.sound import RATE


class PocketsphinxRecogniser:
    """Implements app.hearing.recogniser.Recogniser."""

    def __init__(self, model: str | None = None) -> None:
        """`model`: a folder with an acoustic model `hmm/`, `lm.bin` and `words.dict`. None: the
        model of the wheel."""
        paths: dict[str, str] = {}
        if model is not None:
            paths = {"hmm": f"{model}/hmm", "lm": f"{model}/lm.bin", "dict": f"{model}/words.dict"}
        try:
            # Second passes run in end_utt: an abort would wait 240 ms for them after 5 s of sound.
            self._decoder = Decoder(
                samprate=RATE, fwdflat=False, bestpath=False, loglevel="FATAL", **paths
            )
        except (RuntimeError, ValueError) as error:
            raise ConfigError(f"hearing.recogniser_model: pocketsphinx: {error}") from error
        self._is_live = False
        self._partial = ""

    def accept(self, pcm: bytes) -> str | None:
        if not self._is_live:
            self._decoder.start_utt()
            self._is_live = True
            self._partial = ""
        self._decoder.process_raw(pcm, False, False)
        words = self._words()
        if words == self._partial:
            return None
        self._partial = words
        return words

    def final(self) -> str:
        if not self._is_live:
            return ""
        self._end()
        return self._words()

    def abort(self) -> None:
        if self._is_live:
            self._end()

    def live(self) -> bool:
        return self._is_live

    def forget(self) -> None:
        self.abort()
        # The means of the channel and the tracked noise, in 0.1 ms; set_cmn leaves the noise.
        self._decoder.reinit_feat()

    def _end(self) -> None:
        self._is_live = False
        self._decoder.end_utt()

    def _words(self) -> str:
        found = self._decoder.hyp()
        return "" if found is None else str(found.hypstr).strip()
