"""SSML and pauses become replacements."""

import pytest

from app.errors import BadRequest
from app.text.spans import SpannedText
from app.text.ssml import PAUSE, open_tag_at, read_ssml

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACES = 'version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US"'


def said(text, **options):
    """The words, with one line break for a block."""
    spoken = SpannedText.of(text).replaced(read_ssml(text, **options).replacements).text
    return "\n".join(line.strip() for line in spoken.split("\n\n") if line.strip())


@pytest.mark.parametrize(
    ("mark", "seconds"),
    [
        ("[pause:1.5s]", 1.5),
        ("[pause:300ms]", 0.3),
        ("[PAUSE: .5s ]", 0.5),
        ("[pause:0s]", 0),
        ('<break time="500ms"/>', 0.5),
        ("<break time='2s' />", 2),
        ('<break time="+1s"></break>', 1),
        ("<break/>", 0.5),
        ("<break>", 0.5),
        ('<break strength="none"/>', 0),
        ('<break strength="x-strong"/>', 1.2),
        ('<break strength="weak" time="2s"/>', 2),
    ],
)
def test_a_pause_is_one_character_that_stays(mark, seconds):
    text = f"Hello. {mark} Bye."
    markup = read_ssml(text)
    spoken = SpannedText.of(text).replaced(markup.replacements)
    assert spoken.text == f"Hello. {PAUSE} Bye."
    assert spoken.finals.sum() == 1
    assert markup.pauses_s == pytest.approx([seconds])


@pytest.mark.parametrize(
    "text",
    [
        "[pause:soon]",
        "[pause:]",
        "[pause:1]",
        "[pause:-1s]",
        "[pause:1e9s]",
        "[pause:11s]",
        "[pause:999999s]",
        '<break time="x"/>',
        '<break strength="loud"/>',
        '<break time="1s" x="y"/>',
        '<break time="1s" time="2s"/>',
        "<break time=1s/>",
    ],
)
def test_a_malformed_pause_is_refused(text):
    with pytest.raises(BadRequest) as refused:
        read_ssml(f"Hello. {text}")
    assert refused.value.param == "input"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{XML}<speak {NAMESPACES}>Hello there.</speak>", "Hello there."),
        ('<prosody rate="slow" pitch="+2st">Slowly now.</prosody>', "Slowly now."),
        ('He is <emphasis level="strong">very</emphasis> sure.', "He is very sure."),
        ('<voice name="Amy"><lang xml:lang="fr-FR">Bonjour</lang></voice>', "Bonjour"),
        ('<phoneme alphabet="ipa" ph="pɪˈkɑːn">pecan</phoneme> pie', "pecan pie"),  # noqa: RUF001
        ('One<mark name="here"/> two', "One two"),
        ("<p>One.</p><p>Two.</p>", "One.\nTwo."),
        ("<s>One</s><s>Two</s>", "One\nTwo"),
        (
            '<sub alias="World Wide Web Consortium">W3C</sub> rules',
            "World Wide Web Consortium rules",
        ),
        ('<sub alias="Tom &amp; Jerry">T&amp;J</sub>', "Tom & Jerry"),
        ('<say-as interpret-as="characters">A B1</say-as>', "A B 1"),
        ('<say-as interpret-as="telephone">206-555</say-as>', "2 0 6, 5 5 5"),
        ('<say-as interpret-as="date" format="mdy">10/2/2026</say-as>', "2026-10-02"),
        ('the <say-as interpret-as="ordinal">3</say-as> time', "the third time"),
        ('a <say-as interpret-as="expletive">word</say-as> b', "a  b"),
        ("AT&amp;T &lt;b&gt; &quot;x&apos; &#233;&#xE9;", "AT&T <b> \"x' éé"),
        ("<!-- not this -->this", "this"),
        ("<![CDATA[a < b]]> c", "a < b c"),
        ("<SPEAK>Loud</Speak>", "Loud"),
        (f"a{PAUSE}b", "ab"),
    ],
)
def test_wrappers_vanish_and_their_words_stay(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    "text",
    ["a < b and b > a", "<breakfast> now", "x <3 y", "if (a<b) {}", "fish & chips", "[pauses] so"],
)
def test_what_is_no_markup_stays(text):
    assert read_ssml(text).replacements == []


@pytest.mark.parametrize(
    ("element", "name"),
    [
        ('<audio src="x.mp3"/>', "audio"),
        ('<amazon:effect name="whispered">x</amazon:effect>', "amazon:effect"),
        ("<break-fast/>", "break-fast"),
    ],
)
def test_an_unknown_element_of_a_document_is_named(element, name):
    with pytest.raises(BadRequest, match=f"<{name}>") as refused:
        read_ssml(f"<speak>Hello {element}</speak>")
    assert (refused.value.param, refused.value.code) == ("input", "unsupported_ssml")
    with pytest.raises(BadRequest):
        read_ssml(element, is_ssml=True)  # a later piece of a document
    assert said(f"Hello {element}") == f"Hello {element}"


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE speak [<!ENTITY a "b">]><speak>&a;</speak>',
        '<sub alias="x" alias="y">z</sub>',
        "<speak><sub>z</sub></speak>",
        "<prosody rate=slow>x</prosody>",
        '<say-as interpret-as="song">la</say-as>',
    ],
)
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(BadRequest) as refused:
        read_ssml(text)
    assert refused.value.code == "unsupported_ssml"


def test_an_unknown_entity_stays():
    assert said("x&lol;y &T; &Apos;") == "x&lol;y &T; &Apos;"


def test_the_sub_of_html_is_left_out():
    assert said("H<sub>2</sub>O is x<sub>i</sub>") == "H2O is xi"


def test_a_character_may_be_named_as_in_html():
    assert said("&amp;&hellip;&Eacute;x&ndash;y&rsquo;") == "&…Éx–y’"  # noqa: RUF001


def test_the_words_of_an_alias_came_from_the_words_that_they_replace():
    text = 'the <sub alias="World Wide Web">WWW</sub> is'
    spoken = SpannedText.of(text).replaced(read_ssml(text).replacements)
    start, end = spoken.span(4, 9)
    assert text[start:end] == "WWW"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Hello [pau", 6),
        ("Hello [pause:1", 6),
        ("Hello [", 6),
        ("Hello <", 6),
        ("Hello </spe", 6),
        ('Hello <break time="1s"', 6),
        ("a <!-- b", 2),
        ('a <sub alias="b">c', 2),
        ('a <sub alias="b">c</su', 2),
        ("a &am", 2),
        ("Hello [pause:1s]", None),
        ('a <sub alias="b">c</sub>', None),
        ("Hello [laugh", None),
        ("a < b", None),
        ("a <3", None),
        ("a & b", None),
        ("a <breakfast", None),
        ("Hello", None),
    ],
)
def test_markup_that_may_go_on_is_found(text, at):
    assert open_tag_at(text) == at


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<!--", "<?", "&", "[pause:", '<sub alias="', "<sub "]
)
def test_hostile_text_is_read_in_time(piece):
    assert read_ssml(piece * 20_000).replacements == []
