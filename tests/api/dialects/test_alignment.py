"""Characters with their times, of words with their times."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.dialects.alignment import Alignments
from app.api.dialects.words import TimedWord

TEXT = "Hi, you. "
HI = TimedWord("Hi,", 100, 400, 0, 3)
YOU = TimedWord("you.", 500, 900, 4, 8)


def alignments(text=TEXT, *, is_synced=True):
    made = Alignments(is_synced=is_synced)
    made.add_text(text)
    return made


def told(chars):
    return [(each.char, each.start_ms, each.end_ms) for each in chars]


def test_the_characters_of_a_word_share_its_time():
    assert told(alignments().of([HI])) == [("H", 100, 200), ("i", 200, 300), (",", 300, 400)]


def test_what_stands_between_words_fills_the_time_between_them():
    chars = alignments().of([HI, YOU])
    assert "".join(each.char for each in chars) == "Hi, you."
    assert told(chars)[3] == (" ", 400, 500)


def test_the_rest_of_the_text_comes_last_and_takes_no_time():
    made = alignments()
    made.of([HI, YOU])
    assert told(made.rest()) == [(" ", 900, 900)]


def test_a_synced_time_counts_from_the_start_of_the_context():
    made = alignments()
    made.of([HI])
    assert told(made.of([YOU]))[-1] == (".", 800, 900)


def test_the_spans_of_other_alignments_add_up():
    """As Pipecat counts: the end of the last character of each alignment."""
    made = alignments(is_synced=False)
    clock_ms, heard = 0, []
    for words in ([HI], [YOU]):
        chars = made.of(words)
        heard += [(each.char, clock_ms + each.start_ms) for each in chars if each.char in "Hy"]
        clock_ms += chars[-1].end_ms
    assert heard == [("H", 100), ("y", 500)]
    assert clock_ms == 900


def test_a_word_that_is_told_twice_is_left_out():
    made = alignments()
    made.of([HI, YOU])
    assert made.of([HI]) == []


def test_without_words_nothing_is_told():
    assert alignments().rest() == []


@given(
    st.lists(st.tuples(st.integers(1, 8), st.integers(0, 300), st.integers(0, 900)), max_size=8),
    st.booleans(),
    st.lists(st.booleans(), min_size=8, max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_each_character_is_told_once_and_time_does_not_run_back(shapes, is_synced, cuts):
    text, at_ms, words = "", 0, []
    for length, gap_ms, length_ms in shapes:
        begin_ms = at_ms + gap_ms
        at_ms = begin_ms + length_ms
        words.append(TimedWord("x" * length, begin_ms, at_ms, len(text), len(text) + length))
        text += "x" * length + " "
    made = alignments(text, is_synced=is_synced)
    parts, waiting = [], []
    for word, is_cut in zip(words, cuts, strict=False):
        waiting.append(word)
        if is_cut:
            parts.append(made.of(waiting))
            waiting = []
    parts += [made.of(waiting), made.rest()]
    chars, zero_ms = [], 0
    for part in filter(None, parts):
        chars += [(each.char, zero_ms + each.start_ms, zero_ms + each.end_ms) for each in part]
        zero_ms = 0 if is_synced else zero_ms + part[-1].end_ms
    assert "".join(char for char, _, _ in chars) == (text if words else "")
    times = [time for _, *both in chars for time in both]
    assert times == sorted(times)
    for word in words:
        assert chars[word.char_start][1] == word.start_ms
        assert chars[word.char_end - 1][2] == word.end_ms
