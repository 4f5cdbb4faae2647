"""Web and e-mail addresses are said without their scheme, with the marks by name."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://www.example.com/a_b?q=1#top", "w w w dot example dot com slash a underscore b "
         "question mark q equals one hash top"),
        ("See https://example.com/.", "See example dot com."),
        ("(example.org)", "(example dot org)"),
        ("mailto:jo.e-x+1@mail.co.uk,", "jo dot e dash x plus one at mail dot co dot uk,"),
        ("localhost:8080", "localhost colon eight zero eight zero"),
        ("10.0.0.1", "ten dot zero dot zero dot one"),
        ("the file report.pdf.", "the file report dot p d f."),
        ("/usr/local/bin", "slash usr slash local slash bin"),
        ("I said yes.Then no", "I said yes.Then no"),
        ("and/or", "and slash or"),
    ],
)  # fmt: skip
def test_an_address_is_said(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", "anna at beispiel Punkt de"),
        ("fr", "anna arobase beispiel point de"),
        ("zh", "anna 艾特 beispiel 点 de"),
        ("ja", "anna アットマーク beispiel ドット de"),
    ],
)
def test_each_language_has_its_own_names_of_the_marks(language, words):
    assert said("anna@beispiel.de", language) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://a.org/Foo_(bar) is", "a dot org slash Foo underscore bar is"),
        ("(see https://a.org/foo)", "(see a dot org slash foo)"),
        ("https://a.org/Foo_(bar)/baz", "a dot org slash Foo underscore bar slash baz"),
    ],
)
def test_a_bracket_that_an_address_opened_belongs_to_it(text, words):
    assert said(text) == words
