"""Text that arrives in pieces: the first take comes early, and no text is lost."""

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.text.incremental import IncrementalText
from app.text.plan import TextRules, plan_text
from app.text.segments import MAX_CHARS, speakable
from app.text.sentences import sentences

PROSE = (
    "Sure, I can help you with that today. Dr. Smith, who has lived in the U.S. since 1999, paid "
    "$3.50 for it at example.com/a.b?c yesterday. Wait... what? Then he left the building. "
    "He came back after all. It was late by then, i.e. about 9 p.m. or so. The end is near.\n\n"
    "A new paragraph begins here without a full stop\n\nAnd the last one ends it."
)


def solid(text):
    return "".join(text.split())


def takes_of(pieces, language="en", max_chars=MAX_CHARS):
    stream = IncrementalText(language, max_chars)
    takes = [take for piece in pieces for take in stream.push(piece)]
    return texts([*takes, *stream.flush()])


def texts(takes):
    return [take.text for take in takes]


def test_the_first_take_is_the_first_long_enough_clause():
    stream = IncrementalText()
    assert stream.push("After a rather long introduction, we") == []
    assert texts(stream.push(" come")) == ["After a rather long introduction,"]


@pytest.mark.parametrize(
    "text",
    ["Well, yes, I do think ", "Dr. Smith comes to our town ", "It costs 1,000,000 dollars "],
)
def test_a_text_that_may_go_on_waits(text):
    assert IncrementalText().push(text) == []


def test_later_takes_are_whole_sentences_and_grow():
    sentence = "This is an ordinary sentence number {}. "
    takes = takes_of([sentence.format(n) for n in range(12)])
    assert [take.count(".") for take in takes] == [1, 1, 2, 3, 3, 2]


def test_a_paragraph_ends_a_sentence():
    takes = takes_of([PROSE])
    assert any(take.rstrip().endswith("without a full stop") for take in takes)


def test_markup_that_is_still_arriving_is_not_cut():
    stream = IncrementalText()
    pieces = ("Hello to all of you [pau", "se:1.5s] and a good day. N")
    takes = [take for piece in pieces for take in stream.push(piece)]
    spoken = [plan_text(take.text, TextRules()) for take in [*takes, *stream.flush()]]
    assert sum(sum(each.pauses_s) for each in spoken) == 1.5


def test_flush_gives_the_rest_and_begins_anew():
    stream = IncrementalText()
    stream.push("Half a")
    assert texts(stream.flush()) == ["Half a"]
    assert stream.flush() == []
    assert stream.push("After a rather long introduction, we come") != []


def test_text_without_words_is_dropped():
    stream = IncrementalText()
    assert stream.push("![[ \n\n\t" * 2000) == []
    assert len(stream) <= 2 * MAX_CHARS + 1


def test_a_text_without_boundaries_is_cut():
    takes = takes_of(["a" * 2000])
    assert "".join(takes) == "a" * 2000
    assert max(map(len, takes)) <= MAX_CHARS * 2


def test_prose_is_cut_at_the_sentence_ends_of_the_whole_text():
    ends, end = set(), 0
    for paragraph in PROSE.split("\n\n"):
        for sentence in sentences(paragraph, "en"):
            end += len(solid(sentence))
            ends.add(end)
    at, cuts = 0, []
    for take in takes_of(list(PROSE)):
        at += len(solid(take))
        cuts.append(at)
    assert set(cuts[1:]) <= ends
    assert len(cuts) > 4


WORDS = st.lists(
    st.builds(
        lambda word, mark, gap: word + mark + gap,
        st.text(string.ascii_letters + "éü你好7", min_size=1, max_size=30),
        st.sampled_from(["", "", ",", ".", "!", "?", ";", "...", "。", "、"]),
        st.sampled_from([" ", " ", "  ", "\n", "\n\n", "", "\t"]),
    ),
    max_size=80,
).map("".join)
ANY = WORDS | st.text(max_size=900)


@given(ANY, st.data(), st.sampled_from(["en", "de", "ja", "ar"]), st.integers(40, 300))
def test_takes_do_not_depend_on_how_the_text_is_cut(text, data, language, max_chars):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert takes_of(pieces, language, max_chars) == takes_of([text], language, max_chars)
    assert takes_of(list(text), language, max_chars) == takes_of([text], language, max_chars)


@given(ANY, st.integers(40, 300))
def test_every_letter_is_in_a_take_in_order(text, max_chars):
    takes = takes_of([text], "en", max_chars)
    letters = [char for char in text if char.isalnum()]
    assert [char for take in takes for char in take if char.isalnum()] == letters
    assert all(speakable(take) for take in takes)


@given(WORDS)
def test_ordinary_text_loses_no_character(text):
    if speakable(text):
        assert solid("".join(takes_of([text]))) == solid(text)
    else:
        assert takes_of([text]) == []


@given(ANY, st.integers(40, 300))
def test_the_waiting_text_is_bounded(text, max_chars):
    stream = IncrementalText("en", max_chars)
    for char in text:
        stream.push(char)
        assert len(stream) <= 2 * max_chars + 2


def spoken_words(texts, rules):
    """The letters of each word that is said."""
    found = []
    for text in texts:
        spoken = plan_text(text, rules)
        for part in " ".join(spoken.segments).split():
            word = "".join(char for char in part if char.isalnum())
            found += [word] if word else []
    return found


def pieces_of(text, cuts):
    cuts = sorted(min(cut, len(text)) for cut in cuts)
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


WRITTEN = [
    "Now for something that is long enough to stand. ",
    "Yes. ",
    "It costs $5.30, not $6.10, at 9:30 p.m. today. ",
    "On Nov. 24, 2026, Dr. Lee of the U.S. paid 1,000,000 dollars. ",
    "Steps: 1. Crack the eggs 2. Beat them as you can 3. Fry them all. ",
    "\n1. Crack the eggs as you can\n2. Beat the eggs as you can\n3. Fry them. Eat them.\n",
    "\n- Milk\n- Two loaves of bread\n",
    "\n\nA heading without a stop\n\n",
    "“They came here. They all saw it. They left again,” he said. ",
    "(See this. And that, too.) ",
    "Wait [pause:1s] for it. ",
    'The <sub alias="World Wide. Web">WWW</sub> is here. ',
    '<prosody rate="1. 5">Slowly now.</prosody> ',
    "Tom &amp; Jerry came. ",
    "He came [sighs deeply] and, [clears throat] well, left. ",
    "[laugh] Oh. [clear throat] Well. ",
    "It is approx. 3 times as big. ",
    "This is said <!-- and, as a note, this is not. It is long. --> to all. ",
    "Your new PIN code: 4821 and the number: 55 are here. ",
    "It was big in the 1980s. '90s music is good. ",
    "* * * * *\n",
]
TIMED = [
    "She raised $5.3 billion, or 2.5 million euros, in 2 1/2 years. ",
    "Call 206-555-0147 or write to jo@example.com today. ",
    "See https://example.com/a_b?c=d for it. ",
    "So 23 * 5 = 115, and 5 km/h is slow at -5 °C. ",
    "From 3 to 5 p.m. on May 5, 2026 it is 40 cm. ",
]
MARKDOWN = [
    "\n\n## A heading\n\n",
    "**Bold words here. More of them.** ",
    "See [the page. It is good](http://a.b/c?d=e. f) now. ",
    "\n\n| Day | Meal |\n|---|---|\n| Monday. | Soup of the day. |\n| Friday. | Fish. It is. |\n\n",
    "\n\n```\nx = 1. Then y.\nprint **x**. Done.\n```\n\n",
    'Read <b>this. And it</b>, too: <a href="/x" title="Oh, so. Yes">a link</a>.<br>',
    "<ul><li>Milk &ndash; or tea</li><li>Bread</li></ul>",
    "<think>Let me think. This is long, too. 1. Yes.</think>",
]
CUTS = st.lists(st.integers(0, 900), max_size=30)


@given(st.lists(st.sampled_from(WRITTEN), max_size=12).map("".join), CUTS, st.booleans())
def test_any_cutting_gives_the_words_of_the_whole_text(text, cuts, is_ssml):
    text = f"<speak>{text}</speak>" if is_ssml else text
    rules = TextRules(tags=("laugh", "clear throat"))
    takes = takes_of(pieces_of(text, cuts))
    assert spoken_words(takes, rules) == spoken_words([text], rules)


@given(st.lists(st.sampled_from([*WRITTEN, *MARKDOWN]), max_size=12).map("".join), CUTS)
def test_any_cutting_of_markdown_gives_the_words_of_the_whole_text(text, cuts):
    rules = TextRules(strip_markdown=True)
    stream = IncrementalText("en", strip_markdown=True)
    takes = [take for piece in pieces_of(text, cuts) for take in stream.push(piece)]
    takes = texts([*takes, *stream.flush()])
    assert spoken_words(takes, rules) == spoken_words([text], rules)


@given(
    st.lists(st.sampled_from([*WRITTEN, *TIMED]), max_size=8).map("".join),
    st.sets(st.integers(0, 150)),
)
def test_time_between_two_pieces_changes_no_word(text, waits):
    """Text stops to come at the end of a word, within any item."""
    stream, takes = IncrementalText("en"), []
    for number, piece in enumerate(re.findall(r"\S+\s*|\s+", text)):
        takes += stream.push(piece)
        if number in waits:
            takes += stream.flush_closed()
    takes = texts([*takes, *stream.flush()])
    assert spoken_words(takes, TextRules()) == spoken_words([text], TextRules())


@pytest.mark.parametrize(
    ("text", "take"),
    [
        ("It costs $5.3 bil", "It costs "),
        ("We meet on Nov. 2", "We meet "),
        ("Your new PIN code: 48", "Your new PIN "),
        ("He was King Henry", "He was King "),
        ("It is said to be 9:30 P", "It is said to be "),
        ("Write to jo@exam", "Write to "),
        ("See https://exa", "See "),
        ("Then [pau", "Then "),
        ("He said [clear thr", "He said "),
        ('The <sub alias="World', "The "),
        ("Tom &am", "Tom "),
        ("Is it 42?", "Is it 42?"),
        ("It is 42! ", "It is 42! "),
        ("See http://a.b/c?", "See "),
        ("Let me think", "Let me think"),
    ],
)
def test_time_takes_what_stands_before_an_open_item(text, take):
    stream = IncrementalText("en")
    assert stream.push(text) == []
    assert texts(stream.flush_closed()) == [take]
    assert texts(stream.flush()) == ([text[len(take) :]] if len(take) < len(text) else [])


@pytest.mark.parametrize("text", ["$5", "1. ", "<b", "“ "])
def test_time_takes_nothing_where_nothing_stands_before_an_open_item(text):
    stream = IncrementalText("en", strip_markdown=True)
    stream.push(text)
    assert stream.flush_closed() == []
    assert len(stream) == len(text)


@pytest.mark.parametrize(
    ("text", "take"),
    [
        ("It is the first of them all. 2. Beat", "It is the first of them all. "),
        ("This is a whole sentence. See [the pa", "This is a whole sentence. "),
        ('This is a whole sentence. <sub alias="a', "This is a whole sentence. "),
    ],
)
def test_no_more_than_the_open_item_is_held_back(text, take):
    stream = IncrementalText("en", strip_markdown=True)
    assert texts(each for char in f"{text} " for each in stream.push(char)) == [take]


def test_a_later_take_of_a_document_is_read_as_a_document():
    takes = takes_of(
        ["<speak>This is the first sentence. This is <loud>the second</loud>.</speak>"]
    )
    assert takes[1].startswith("<speak>")


def test_reasoning_is_not_kept():
    stream = IncrementalText("en", strip_markdown=True)
    assert stream.push("<think>" + "Let me see. " * 500) == []
    assert len(stream) == 0
    said = "Here is the answer that I found. "
    assert texts(stream.push(f"</think>{said}Then ")) == [said]


def test_a_text_that_goes_on_after_a_flush_keeps_its_markup():
    stream = IncrementalText("en", strip_markdown=True)
    stream.push("```\nx = 1")
    assert texts(stream.flush(goes_on=True)) == ["```\nx = 1"]
    stream.push("y = 2")
    assert texts(stream.flush()) == ["```\ny = 2"]
    stream.push("z = 3")
    assert texts(stream.flush()) == ["z = 3"]


@settings(max_examples=25)
@given(st.lists(st.sampled_from([*WRITTEN, *MARKDOWN]), max_size=12).map("".join), CUTS)
def test_every_character_of_a_take_knows_its_place_in_the_text(text, cuts):
    stream = IncrementalText("en", strip_markdown=True)
    takes = [take for piece in pieces_of(text, cuts) for take in stream.push(piece)]
    for take in [*takes, *stream.flush()]:
        assert len(take.places) == len(take.text)
        assert list(take.places) == sorted(take.places)
        repeated = take.places.count(take.places[0]) - 1
        for char, place in list(zip(take.text, take.places, strict=True))[repeated:]:
            assert char == text[place] or (char.isspace() and text[place].isspace())


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "We have cooked the whole thing approx. 3 times in a row. Yes."),
        ("en", "We have talked for hours to the old Dr. Lee of the U.S. army. Yes."),
        ("hi", "आज सुबह हमारे घर बहुत दूर से डॉ. शर्मा जी आए थे। हाँ।"),
        ("ar", "جاء إلى بيتنا في الصباح الباكر د. أحمد مع أخيه. نعم."),
        ("ms", "Pagi tadi kami semua pergi bertemu En. Ali di rumahnya. Ya."),
        ("ru", "Сегодня утром пришёл наш хороший друг т. е. сам Иван. Да."),  # noqa: RUF001
        ("es", "Nos vemos mañana en la plaza a las 5 p. m. como siempre. Sí."),
        ("sv", "Vi kan träffas vid den stora stationen t.ex. kl. 5 i morgon. Ja."),
        ("no", "Vi kan møtes ved den store stasjonen f.eks. i morgen tidlig. Ja."),
        ("sw", "Leo asubuhi tulikwenda kumwona Bw. Juma na Dkt. Ali. Ndiyo."),
    ],
)
def test_no_take_ends_behind_an_abbreviation(language, text):
    sentence = text[: text.rindex(" ")]
    takes = takes_of(list(f"{text} Abc abc "), language)
    assert takes[0].strip() == sentence


@pytest.mark.parametrize(
    ("language", "text", "whole"),
    [
        ("de", "Das schöne alte Schloss wurde im 19. Jahrhundert gebaut. ", "im 19. Jahrhundert"),
        ("es", "Es verdad que fue la 3.ª vez que vine a esta casa. Sí. ", "3.ª vez"),
        ("en", "Your new PIN code: 4821 and your order are here. Yes. ", "code: 4821"),
        ("en", "Your new order number: #48 and the rest are here. Yes. ", "number: #48"),
        ("en", "It was all in the 1980s. '90s music is better. Yes, it is. ", "'90s"),
        ("en", "You can see all of it in Figs. 1-3 of this book. Yes. ", "Figs. 1-3"),
        ("sv", "Läs gärna om det hela i kap. 3: där står det. Ja. ", "kap. 3"),
        ("en", "This is said <!-- and, so, a note. A long one --> to all. Yes. ",
         "<!-- and, so, a note. A long one -->"),
        ("en", "This is said <!-- and <b>a, b</b> too --> to all. Yes. ",
         "<!-- and <b>a, b</b> too -->"),
        ("en", 'This is <prosody rate="so, so. Yes">said to</prosody> all. Yes. ',
         '<prosody rate="so, so. Yes">'),
    ],
)  # fmt: skip
def test_no_take_ends_within_what_belongs_together(language, text, whole):
    takes = takes_of(list(f"{text}Abc abc "), language)
    assert any(whole in take for take in takes), takes
