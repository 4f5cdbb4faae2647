"""Sentences end where a reader expects."""

# ruff: noqa: RUF001

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.segments import speakable
from app.text.sentences import sentences

BOUNDARIES = [
    ("en", "Mr. Smith went to Washington. He arrived at 5 p.m. sharp.", 2),
    ("en", "It costs $3.50. That is 1,234.56 in all.", 2),
    ("en", "See https://example.com/a.b?c=d. Then write to a.b@example.com.", 2),
    ("en", "Wait... what? I mean, well... yes.", 2),
    ("en", "The U.S. economy grew. So did e.g. the U.K.'s.", 2),
    ("en", "Version 2.0.1 is out! Get it now.", 2),
    ("en", "Cook it approx. 3 times. Add no. 5 and Fig. 2, vol. 3.", 2),
    ("en", "That was plan B. Then he left.", 2),
    ("en", "J. R. R. Tolkien wrote it. So he did.", 2),
    ("de", "Dr. Müller kommt z.B. am 3. Mai. Er bleibt.", 2),
    ("fr", "Il a payé 3,50 € hier. Il part à 9 h. Vraiment?", 3),
    ("fr", "M. Dupont et Mme. Curie saluent le Dr. Martin. Il part.", 2),
    ("fr", "Il vit à Rom. Il part.", 2),  # no title
    ("es", "D. Juan llegó. ¿Qué tal?", 2),
    ("es", "A las 5 p. m. del lunes. Luego.", 2),
    ("it", "La Sig.ra Rossi vede il Dott. Bianchi. Ciao!", 2),
    ("nl", "Mevr. Vries komt. Dag!", 2),
    ("pl", "To jest dr. Nowak. Dobrze.", 2),
    ("es", "El Sr. Pérez llegó. ¿Qué tal? Bien.", 3),
    ("it", "Il dott. Rossi è qui. Ciao!", 2),
    ("ja", "こんにちは。お元気ですか？はい。", 3),
    ("zh", "你好。你好吗？我很好！", 3),
    ("hi", "नमस्ते। आप कैसे हैं?", 2),
    ("hi", "डॉ. शर्मा आए। वे रुके।", 2),
    ("ar", "مرحبا. كيف حالك؟", 2),
    ("ar", "جاء د. أحمد أمس. ثم ذهب.", 2),
    ("ms", "En. Ali datang. Dia pergi.", 2),
    ("ru", "Привет. Как дела? Хорошо.", 3),
    ("ru", "Это т. е. он. Да.", 2),
    ("sv", "Han kom t.ex. kl. 5 igen. Ja.", 2),
    ("no", "Han kom f.eks. i dag. Ja.", 2),
    ("sw", "Bw. Juma na Dkt. Ali. Ndiyo.", 2),
    ("el", "Ο κ. Γιάννης ήρθε π.χ. χθες. Ναι.", 2),
    ("tr", "Sn. Kaya geldi. Evet.", 2),
    ("en", "See Figs. 1-3 and Eqs. 4-5. Yes.", 2),
    ("sv", "Se kap. 3: där är boken. Ja.", 2),
    ("de", "Siehe Kap. 3 und Abb. 4. Gut.", 2),
    ("de", "Er wurde 19. Dann ging er.", 2),
    ("de", "Die Note ist 3.5. Danke.", 2),
]


@pytest.mark.parametrize(("language", "text", "num_sentences"), BOUNDARIES)
def test_sentences_end_where_a_reader_expects(language, text, num_sentences):
    found = [sentence for sentence in sentences(text, language) if speakable(sentence)]
    assert len(found) == num_sentences, found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('He said "Stop. Now go." and left.', ['He said "Stop. ', 'Now go." and left.']),
        ("“Come here. Sit.” She sat.", ["“Come here. ", "Sit.” ", "She sat."]),
        ("(See this. And that.) Then.", ["(See this. ", "And that.) ", "Then."]),
        ('"Dr. Lee is in. Wait." He did.', ['"Dr. Lee is in. ', 'Wait." ', "He did."]),
        (
            'A 27" screen. A 30" one. 5\' 11" tall.',
            ['A 27" screen. ', 'A 30" one. ', "5' 11\" tall."],
        ),
        ("It's the dogs' bone. It isn't.", ["It's the dogs' bone. ", "It isn't."]),
    ],
)
def test_a_full_stop_within_quotes_ends_a_sentence(text, expected):
    assert sentences(text, "en") == expected


@pytest.mark.parametrize(
    ("language", "number"),
    [
        ("hi", "३.१४"),
        ("mr", "३.१४"),
        ("bn", "৩.১৪"),
        ("ar", "٣.١٤"),
        ("fa", "۳.۱۴"),
        ("th", "๓.๑๔"),
        ("ja", "３.１４"),
        ("zh", "3.14"),
    ],
)
def test_a_decimal_in_native_digits_is_whole(language, number):
    assert any(number in sentence for sentence in sentences(f"a {number} b", language))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Das Schloss wurde im 19. Jahrhundert gebaut."),
        ("de", "Er wohnt im 3. Stock."),
        ("de", "Zum 50. Geburtstag kam er."),
        ("de", "Es war ihr 2. Versuch und sein 3. Versuch."),
        ("de", "Er kam am 24. Dez. in Berlin an."),
        ("de", "Wir haben am 5. und 6. Juni frei."),
        ("de", "Der 1. und 2. Weltkrieg."),
        ("de", "Montag, 5. Mai, ist frei."),
        ("da", "Han kom den 5. Juni."),
        ("no", "Han kom 5. Mai i fjor."),
        ("fi", "Hän tuli 5. Kesäkuuta."),
        ("es", "Fue la 3.ª Guerra y el 2.º Piso."),
    ],
)
def test_an_ordinal_number_stays_with_its_noun(language, text):
    assert sentences(f"{text} Abc abc.", language) == [f"{text} ", "Abc abc."]


def test_an_apostrophe_opens_the_sentence_behind_it():
    assert sentences("It was in the 1980s. '90s music came. Yes.", "en") == [
        "It was in the 1980s. ",
        "'90s music came. ",
        "Yes.",
    ]


def test_the_number_of_an_item_stays_with_its_item():
    assert sentences("Beat as you can.\n3. Fry them. Eat.", "en") == [
        "Beat as you can.\n",
        "3. Fry them. ",
        "Eat.",
    ]


@given(
    st.text(max_size=200) | st.text("ab. \"'“”()A1?!\n", max_size=200),
    st.sampled_from(["en", "de", "ja", "ar", "hi", "xx"]),
)
def test_joined_sentences_are_the_text(text, language):
    assert "".join(sentences(text, language)) == text
