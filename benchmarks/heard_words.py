"""Measures the words that the embedded recogniser hears on the recorded call, as a call hears them:
in frames, with partial texts, in one stream.

    python benchmarks/heard_words.py

Reports the word errors, how often a partial text takes a word back, whether the final text differs
from the last partial one, and what is heard in noise and back-channels. The voices are flite's:
people are harder. The last line is one JSON object.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.hearing.pocketsphinx_recogniser import PocketsphinxRecogniser
from benchmarks.measure import say
from benchmarks.recorded_call import RATE, Moment, RecordedCall, read_call, s16le
from training.corpus import words_of
from training.word_error_rate import word_errors

FRAME_BYTES = 1024
BEFORE_S, AFTER_S = 0.3, 0.5  # as a call's prefix and silence


@dataclass(frozen=True, slots=True)
class HeardMoment:
    moment: Moment
    final: str
    partials: tuple[str, ...]
    decode_s: float
    audio_s: float

    @property
    def num_taken_back(self) -> int:
        """Partial texts that do not begin with all words of the one before."""
        pairs = zip(self.partials, self.partials[1:], strict=False)
        return sum(after.split()[: len(one.split())] != one.split() for one, after in pairs)


def hear(recogniser: PocketsphinxRecogniser, call: RecordedCall, moment: Moment) -> HeardMoment:
    sound = s16le([call.cut(moment.began_s - BEFORE_S, moment.ended_s + AFTER_S)])
    began_s = time.process_time()
    texts = [
        recogniser.accept(sound[at : at + FRAME_BYTES]) for at in range(0, len(sound), FRAME_BYTES)
    ]
    final = recogniser.final()
    partials = tuple(text for text in texts if text)
    decode_s = time.process_time() - began_s
    return HeardMoment(moment, final, partials, decode_s, len(sound) / 2 / RATE)


def main() -> int:
    call, recogniser = read_call(), PocketsphinxRecogniser()
    heard = [hear(recogniser, call, moment) for moment in call.moments]
    for each in heard:
        say(f"{each.moment.kind:<13} {each.moment.voice:<6} {each.moment.text:<42} {each.final}")
    spoken = [each for each in heard if each.moment.kind == "interruption"]
    errors = [word_errors(words_of(e.moment.text), words_of(e.final)) for e in spoken]
    num_words = sum(len(words_of(each.moment.text)) for each in spoken)
    pairs = sum(max(0, len(each.partials) - 1) for each in spoken)
    report = {
        "benchmark": "heard_words",
        "num_words": num_words,
        "word_error_rate": round(sum(errors) / num_words, 3),
        "without_error": f"{errors.count(0)} of {len(errors)}",
        "partials_that_take_back": round(sum(e.num_taken_back for e in spoken) / pairs, 3),
        "final_differs": f"{sum(e.final != e.partials[-1] for e in spoken if e.partials)}"
        f" of {len(spoken)}",
        "real_time_share": round(sum(e.decode_s for e in heard) / sum(e.audio_s for e in heard), 3),
    }
    say(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
