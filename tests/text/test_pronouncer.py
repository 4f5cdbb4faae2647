"""Words that a caller wants said otherwise: whole words, the longest first, never twice."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.incremental import IncrementalText
from app.text.plan import TextRules, plan_text
from app.text.pronouncer import pronouncer
from app.text.pronunciations import Pronunciation
from app.text.spans import Replacement, SpannedText


def replacements(text, entries, language="en"):
    return pronouncer(tuple(entries), language).replacements(text)


def open_at(text, entries):
    return pronouncer(tuple(entries), "en").open_at(text)


def said(text, *entries, language="en"):
    return SpannedText.of(text).replaced(replacements(text, entries, language)).text


def entry(term, say, **fields):
    return Pronunciation(term, say, **fields)


KUBERNETES = entry("Kubernetes", "koo ber net eez")


def test_a_term_is_said_as_its_pronunciation():
    assert said("We run Kubernetes here.", KUBERNETES) == "We run koo ber net eez here."


def test_a_replacement_has_the_span_of_the_term_and_is_final():
    assert replacements("On Kubernetes.", [KUBERNETES]) == [
        Replacement(3, 13, "koo ber net eez", is_final=True)
    ]


@pytest.mark.parametrize("text", ["kubernetes", "KUBERNETES", "Kubernetes's", "(Kubernetes)"])
def test_a_term_is_found_in_any_case_and_beside_punctuation(text):
    assert said(text, KUBERNETES) != text


@pytest.mark.parametrize("text", ["Kubernetesque", "MyKubernetes", "Kubernetes2", "Kubernetes_x"])
def test_a_part_of_a_word_stays(text):
    assert said(text, KUBERNETES) == text


@pytest.mark.parametrize(
    "text",
    [
        "see kubernetes.io now",
        "see https://x.com/Kubernetes/docs now",
        "see github.com/Kubernetes/docs now",
        "see www.Kubernetes-x.com now",
        "mail Kubernetes@example.com now",
        "mail me@Kubernetes.com now",
    ],
)
def test_an_address_stays_whole(text):
    assert said(text, KUBERNETES) == text


def test_a_term_may_be_an_address():
    term = entry("https://x.com/a", "our page")
    assert said("See https://x.com/a now", term) == "See our page now"


def test_the_longest_term_is_said():
    short, long = entry("New York", "big apple"), entry("New York Times", "the paper")
    for entries in ([short, long], [long, short]):
        assert said("New York Times in New York", *entries) == "the paper in big apple"


def test_what_a_pronunciation_says_is_not_rewritten():
    assert said("a b", entry("a", "b"), entry("b", "a")) == "b a"
    assert said("cat", entry("cat", "cat cat")) == "cat cat"


def test_a_case_sensitive_term_is_found_in_its_own_case_alone():
    it = entry("IT", "eye tee", case_sensitive=True)
    assert said("IT is it", it) == "eye tee is it"


def test_a_language_limits_a_term():
    handy = entry("Handy", "hendi", language="de")
    assert said("Handy", handy, language="de") == "hendi"
    assert said("Handy", handy, language="en") == "Handy"
    assert said("Handy", entry("Handy", "hendi"), language="de") == "hendi"


def test_a_text_without_a_language_is_english():
    assert said("Handy", entry("Handy", "useful", language="en"), language=None) == "useful"


@pytest.mark.parametrize(
    ("text", "term", "language"),
    [
        ("in New\n York", "New York", "en"),
        ("in New York", "New\u00a0York", "en"),
        ("at O’Brien’s", "O'Brien", "en"),  # noqa: RUF001
        ("an e‑mail", "e-mail", "en"),  # noqa: RUF001
        ("Straße", "STRAßE", "de"),
        ("ΟΔΟΣ", "οδος", "el"),
        ("İstanbul ISTANBUL", "istanbul", "tr"),
        ("café", "cafe\u0301", "en"),
    ],
)
def test_a_term_is_found_however_it_is_written(text, term, language):
    assert "place" in said(text, entry(term, "place"), language=language)


def test_turkish_has_two_letters_i():
    assert said("Irmak", entry("Irmak", "x", case_sensitive=True), language="tr") == "x"
    assert said("IRMAK", entry("irmak", "x"), language="tr") == "IRMAK"
    assert said("IRMAK", entry("irmak", "x"), language="en") == "x"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("We run Kub", 7),
        ("We run Kubernetes", 7),
        ("We run Kubernetes.", 7),  # .io may follow
        ("We run Kubernetes. ", None),
        ("We run it", None),
        ("in Ne", 3),
        ("in New ", 3),
        ("in New\n\n", 3),
        ("in New Yo", 3),
        ("in New ways", None),
        ("in 東", 3),
        ("in 東京に", None),
        ("a re-do ", None),  # the first word of "do it" belongs to a term that is there already
        ("a re-do", 2),
        ("", None),
    ],
)
def test_a_term_that_may_go_on_is_open(text, at):
    entries = [KUBERNETES, entry("New York", "x"), entry("東京", "x")]
    entries += [entry("re-do", "x"), entry("do it", "x")]
    assert open_at(text, entries) == at


def test_nothing_is_open_without_terms():
    assert open_at("Kubernetes", []) is None
    assert replacements("Kubernetes", []) == []


WORDS = ["a", "A", "b", "ab", "a b", "b a", "C++", "x.y", "é", "東京", "a-b", "it's"]
ENTRIES = st.lists(
    st.builds(
        Pronunciation,
        st.sampled_from(WORDS),
        st.text(string.ascii_letters + " ", min_size=1, max_size=8),
        st.sampled_from([None, "en", "de"]),
        st.booleans(),
    ),
    max_size=8,
)
TEXTS = st.lists(st.sampled_from([*WORDS, " ", "  ", "\n", ".", ", ", "/", "@", "'"])).map("".join)


@given(TEXTS | st.text(max_size=80), ENTRIES)
def test_replacements_are_in_order_and_within_the_text(text, entries):
    found = replacements(text, entries)
    borders = [at for each in found for at in (each.start, each.end)]
    assert borders == sorted(borders)
    assert all(each.start < each.end <= len(text) for each in found)
    says = {each.say for each in entries if each.language != "de"}
    assert {each.say for each in found} <= says


@given(TEXTS, TEXTS, ENTRIES)
def test_no_further_text_changes_what_is_before_an_open_term(text, more, entries):
    at = open_at(text, entries)
    settled = len(text) if at is None else at
    now = [each for each in replacements(text, entries) if each.end <= settled]
    later = [each for each in replacements(text + more, entries) if each.start < settled]
    assert later == now


def test_a_thousand_terms_are_told_apart():
    entries = [entry(f"term{number} of many", "x") for number in range(1000)]
    text = "term7 of many words " * 14
    assert len(replacements(text, entries)) == 14


# -- text that comes in pieces ---------------------------------------------------------------------

TERMS = (
    entry("New York", "the big apple"),
    entry("New York Times", "a paper"),
    entry("Yahoo! Inc.", "that company"),
    entry("Yahoo! Search Engine", "that service"),
    entry("Hello, World", "the first program"),
    entry("東京", "tokyo"),
    entry("York", "a town"),
)
PROSE = st.lists(
    st.sampled_from(
        [
            *(term.term for term in TERMS),
            "new",
            "York's",
            "We",
            "know",
            "it.",
            "Why,",
            "Hello,",
            "and",
        ]
    ),
    max_size=40,
).map(" ".join)


def words_of(takes):
    rules = TextRules(language="en", pronunciations=TERMS)
    segments = [text for take in takes for text in plan_text(take, rules).segments]
    return " ".join(segments).split()


def takes_of(pieces):
    stream = IncrementalText("en", pronunciations=TERMS)
    takes = [take for piece in pieces for take in stream.push(piece)]
    return [take.text for take in [*takes, *stream.flush()]]


@given(PROSE, st.data())
def test_text_in_pieces_has_the_words_of_the_whole(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert words_of(takes_of(pieces)) == words_of([text])


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (["The news of New Yo", "rk Ti", "mes is good. So it is, they say."], "a paper"),
        (["We have all read the news of Yahoo! ", "Inc. today. So it is."], "that company"),
        (["We all have used Yahoo! Search ", "Engine and liked it. So it is."], "that service"),
        (["The very first text was Hello, ", "World and then more"], "the first program"),
    ],
)
def test_a_term_that_is_cut_is_said_whole(pieces, said):
    takes = takes_of(pieces)
    assert said in " ".join(words_of(takes))


def test_only_the_open_term_is_held_back():
    stream = IncrementalText("en", pronunciations=TERMS)
    first = "This is a sentence about a town. "
    assert [take.text for take in stream.push(f"{first}It is called New ")] == [first]
