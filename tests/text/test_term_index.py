"""Terms to be looked for in a text."""

from hypothesis import given
from hypothesis import strategies as st

from app.text.term_index import Forms, Term, TermIndex


def forms_of(text):
    return Forms(text, text.lower())


def found(text, *terms, at=0):
    return [term.form for term in TermIndex(terms).at(forms_of(text), at)]


def term(form, *, is_exact=False):
    return Term(form, is_exact, "x")


def test_the_longest_term_comes_first():
    terms = [term("new"), term("new york"), term("new york times"), term("york")]
    assert found("New York", *terms) == ["new york", "new"]
    assert found("New York", *terms, at=4) == ["york"]


def test_an_exact_term_has_its_own_capitals():
    assert found("IT", term("IT", is_exact=True)) == ["IT"]
    assert found("it", term("IT", is_exact=True)) == []


def test_of_two_of_the_same_length_the_first_comes_first():
    exact, folded = term("IT", is_exact=True), term("it")
    assert found("IT", exact, folded) == ["IT", "it"]
    assert found("IT", folded, exact) == ["it", "IT"]


def test_of_two_of_the_same_form_the_first_counts():
    (kept,) = TermIndex([Term("a", False, "one"), Term("a", False, "two")]).at(forms_of("a"), 0)
    assert kept.say == "one"


def test_the_end_of_a_text_may_begin_a_term():
    index = TermIndex([term("new york"), term("IT", is_exact=True)])
    assert index.may_begin_at(forms_of("in New Y"), 3)
    assert index.may_begin_at(forms_of("New York"), 0)
    assert index.may_begin_at(forms_of("I"), 0)
    assert not index.may_begin_at(forms_of("i"), 0)
    assert not index.may_begin_at(forms_of("New York now"), 0)


LETTERS = st.text("aAbB ", min_size=1, max_size=4)


@given(LETTERS, st.lists(st.tuples(LETTERS, st.booleans()), max_size=8))
def test_the_index_finds_what_a_plain_search_finds(text, pairs):
    terms = [term(form if exact else form.lower(), is_exact=exact) for form, exact in pairs]
    text = forms_of(text)
    for at in range(len(text.exact)):
        plain = {
            (each.is_exact, each.form)
            for each in terms
            if (text.exact if each.is_exact else text.folded).startswith(each.form, at)
        }
        index = TermIndex(terms)
        got = list(index.at(text, at))
        assert sorted((each.is_exact, each.form) for each in got) == sorted(plain)
        assert [len(each.form) for each in got] == sorted(
            (len(each.form) for each in got), reverse=True
        )
        assert index.may_begin_at(text, at) == any(
            each.form.startswith((text.exact if each.is_exact else text.folded)[at:])
            for each in terms
        )
