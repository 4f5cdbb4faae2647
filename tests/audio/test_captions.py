"""Captions are short, in the caller's words, and players can read them."""

import io

import av

from app.audio.captions import MAX_CAPTION_MS, MAX_LINE_CHARS, MAX_LINES, cues_of, srt, vtt
from app.spoken_words import SpokenWord, Transcript


def spoken(text, word_ms=300.0, pause_ms=0.0, is_estimate=False):
    """The words of the text, one after another."""
    words, at = [], 0
    for num, word in enumerate(text.split()):
        at = text.index(word, at)
        start_ms = num * (word_ms + pause_ms)
        end = at + len(word)
        words.append(SpokenWord(word, at, end, start_ms, start_ms + word_ms, is_estimate))
        at = end
    return Transcript(text, tuple(words), len(words) * (word_ms + pause_ms))


def read(name, content):
    """What FFmpeg reads: start, duration and text of each caption."""
    with av.open(io.BytesIO(content.encode()), format=name) as container:
        [stream] = container.streams.subtitles
        packets = [packet for packet in container.demux(stream) if packet.size]
        scale = float(stream.time_base)
        return [
            (round(p.pts * scale, 3), round(p.duration * scale, 3), bytes(p).decode())
            for p in packets
        ]


LONG = "One two three four five six seven eight nine ten eleven twelve thirteen. " * 3


def test_players_read_both_kinds():
    transcript = spoken("Hello there. Nice to see you.")
    expected = [(0.0, 0.6, "Hello there."), (0.6, 1.2, "Nice to see you.")]
    assert read("webvtt", vtt(transcript)) == expected
    assert read("srt", srt(transcript)) == expected


def test_the_exact_form_of_both():
    transcript = spoken("Hello <there> & you.", word_ms=1234.5)
    assert vtt(transcript) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:04.938\nHello &lt;there&gt; &amp; you.\n"
    )
    assert srt(transcript) == "1\n00:00:00,000 --> 00:00:04,938\nHello <there> & you.\n"
    assert vtt(spoken("Late", word_ms=3_723_004.0)).splitlines()[2].endswith("01:02:03.004")


def test_a_caption_ends_with_its_sentence():
    cues = cues_of(spoken('He said "Stop!" Then he left (at last.) Really?'))
    assert [cue[-1].text for cue in cues] == ['"Stop!"', "last.)", "Really?"]


def test_a_caption_has_two_short_lines_at_most():
    transcript = spoken(LONG)
    for _, _, text in read("srt", srt(transcript)):
        lines = text.split("\n")
        assert len(lines) <= MAX_LINES
        assert max(map(len, lines)) <= MAX_LINE_CHARS


def test_a_caption_does_not_stand_for_long():
    for cue in cues_of(spoken(LONG, word_ms=900.0)):
        assert cue[-1].end_ms - cue[0].start_ms <= MAX_CAPTION_MS


def test_a_pause_ends_a_caption():
    assert len(cues_of(spoken("One two three", pause_ms=800.0))) == 3
    assert len(cues_of(spoken("One two three", pause_ms=600.0))) == 1


def test_all_words_are_there_once():
    transcript = spoken(LONG)
    said = " ".join(text.replace("\n", " ") for _, _, text in read("webvtt", vtt(transcript)))
    assert said == LONG.strip()


def test_a_script_without_spaces_gets_none():
    words = (SpokenWord("你好", 0, 2, 0.0, 300.0), SpokenWord("世界。", 2, 5, 300.0, 700.0))
    assert "你好世界。" in srt(Transcript("你好世界。", words, 700.0))


def test_a_line_break_of_the_caller_ends_no_caption():
    words = (SpokenWord("New\n\nYork", 0, 9, 0.0, 300.0),)
    assert srt(Transcript("New\n\nYork", words, 300.0)).endswith("\nNew York\n")


def test_no_caption_stands_beyond_the_sound():
    words = spoken("Hello there.").words
    assert "--> 00:00:00,450" in srt(Transcript("Hello there.", words, 450.0))


def test_estimated_times_are_said_to_be_so():
    assert "\n\nNOTE " in vtt(spoken("Hello there.", is_estimate=True))
    assert len(read("webvtt", vtt(spoken("Hello there.", is_estimate=True)))) == 1
    assert "NOTE" not in vtt(spoken("Hello there."))


def test_a_speech_without_words_has_no_captions():
    empty = Transcript("", (), 0.0)
    assert (vtt(empty), srt(empty)) == ("WEBVTT\n", "")
