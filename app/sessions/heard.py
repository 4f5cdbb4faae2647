"""What a listener has heard of a text, from the times of its words. Pure."""

from app.spoken_words import Heard, SpokenWord, Transcript

HALF = 0.5  # of a word: a word that was cut counts as heard from there on


def heard(transcript: Transcript, played_ms: float | None) -> Heard:
    """`played_ms`: how much of the sound the client has played; None: all that was sent. The text
    ends before a word of which less than half was played."""
    sent_ms = transcript.audio_ms
    audio_ms = sent_ms if played_ms is None else min(max(0.0, played_ms), sent_ms)
    words = transcript.words
    num_heard = max(
        (num for num, word in enumerate(words, 1) if _is_heard(word, audio_ms)), default=0
    )
    last = words[num_heard - 1] if num_heard else None
    char_end = 0 if last is None else last.char_end
    beside_the_cut = words[max(0, num_heard - 1) : num_heard + 1]
    return Heard(
        transcript.text[:char_end],
        None if last is None else last.text,
        char_end,
        round(audio_ms, 3),
        any(word.is_estimate for word in beside_the_cut),
    )


def _is_heard(word: SpokenWord, audio_ms: float) -> bool:
    """A word whose end is not known goes on beyond the sound that was sent."""
    if word.end_ms is None:
        return False
    return audio_ms >= word.start_ms + HALF * (word.end_ms - word.start_ms)
