"""Numbers are words in each of the 23 languages."""
# ruff: noqa: RUF001

import pytest

from app.text.spoken.numbers import MAX_DIGITS, cardinal, decimal, digits, ordinal, year

WORDS = {  # 21; 1999; 2.05; 10.05; -3; the third
    "ar": ("واحد وعشرون", "ألف وتسعمائة وتسعة وتسعون", "اثنان فاصل صفر خمسة", "عشرة فاصل صفر خمسة",
           "ناقص ثلاثة", "الثالث"),
    "da": ("enogtyve", "tusind nihundrede og nioghalvfems", "to komma nul fem", "ti komma nul fem",
           "minus tre", "tredje"),
    "de": ("einundzwanzig", "eintausendneunhundertneunundneunzig", "zwei Komma null fünf",
           "zehn Komma null fünf", "minus drei", "dritte"),
    "el": ("είκοσι ένα", "χίλια εννιακόσια ενενήντα εννέα", "δύο κόμμα μηδέν πέντε",
           "δέκα κόμμα μηδέν πέντε", "μείον τρία", "τρίτος"),
    "en": ("twenty-one", "one thousand nine hundred ninety-nine", "two point zero five",
           "ten point zero five", "minus three", "third"),
    "es": ("veintiuno", "mil novecientos noventa y nueve", "dos coma cero cinco",
           "diez coma cero cinco", "menos tres", "tercero"),
    "fi": ("kaksikymmentäyksi", "tuhatyhdeksänsataayhdeksänkymmentäyhdeksän",
           "kaksi pilkku nolla viisi", "kymmenen pilkku nolla viisi", "miinus kolme", "kolmas"),
    "fr": ("vingt-et-un", "mille neuf cent quatre-vingt-dix-neuf", "deux virgule zéro cinq",
           "dix virgule zéro cinq", "moins trois", "troisième"),
    "he": ("עשרים ואחת", "אלף תשע מאות תשעים ותשע", "שתיים נקודה אפס חמש", "עשר נקודה אפס חמש",
           "מינוס שלוש", "שלישי"),
    "hi": ("इक्कीस", "एक हज़ार नौ सौ निन्यानबे", "दो दशमलव शून्य पाँच", "दस दशमलव शून्य पाँच",
           "ऋण तीन", "तीसरा"),
    "it": ("ventuno", "millenovecentonovantanove", "due virgola zero cinque",
           "dieci virgola zero cinque", "meno tre", "terzo"),
    "ja": ("二十一", "千九百九十九", "二・〇五", "十・〇五", "マイナス三", "第三"),
    "ko": ("이십일", "천구백구십구", "이점공오", "십점공오", "마이너스 삼", "삼"),
    "ms": ("dua puluh satu", "seribu sembilan ratus sembilan puluh sembilan",
           "dua perpuluhan kosong lima", "sepuluh perpuluhan kosong lima", "negatif tiga",
           "ketiga"),
    "nl": ("eenentwintig", "duizendnegenhonderdnegenennegentig", "twee komma nul vijf",
           "tien komma nul vijf", "min drie", "derde"),
    "no": ("tjueén", "tusen ni hundre og nittini", "to komma null fem", "ti komma null fem",
           "minus tre", "tredje"),
    "pl": ("dwadzieścia jeden", "tysiąc dziewięćset dziewięćdziesiąt dziewięć",
           "dwa przecinek zero pięć", "dziesięć przecinek zero pięć", "minus trzy", "trzeci"),
    "pt": ("vinte e um", "mil novecentos e noventa e nove", "dois vírgula zero cinco",
           "dez vírgula zero cinco", "menos três", "terceiro"),
    "ru": ("двадцать один", "одна тысяча девятьсот девяносто девять", "две целых пять сотых",
           "десять целых пять сотых", "минус три", "третий"),
    "sv": ("tjugoett", "ettusen niohundranittionio", "två komma noll fem", "tio komma noll fem",
           "minus tre", "tredje"),
    "sw": ("ishirini na moja", "elfu moja, mia tisa na tisini na tisa", "mbili nukta sifuri tano",
           "kumi nukta sifuri tano", "kasoro tatu", "wa tatu"),
    "tr": ("yirmi bir", "bin dokuz yüz doksan dokuz", "iki virgül sıfır beş", "on virgül sıfır beş",
           "eksi üç", "üçüncü"),
    "zh": ("二十一", "一千九百九十九", "二点〇五", "十点〇五", "负三", "第三"),
}  # fmt: skip


@pytest.mark.parametrize("language", WORDS)
def test_a_number_is_said_in_the_language(language):
    said = (
        cardinal(21, language),
        cardinal(1999, language),
        decimal("2.05", language),
        decimal("10.05", language),
        cardinal(-3, language),
        ordinal(3, language),
    )
    assert said == WORDS[language]


@pytest.mark.parametrize("language", WORDS)
def test_no_word_has_a_digit_or_a_soft_hyphen(language):
    said = "".join(cardinal(number, language) for number in (0, 101, 25_470, 10**MAX_DIGITS - 1))
    assert not any(char.isdigit() and char.isascii() for char in said)
    assert "\N{SOFT HYPHEN}" not in said


def test_all_languages_of_the_multilingual_model_are_tried():
    assert len(WORDS) == 23


@pytest.mark.parametrize(
    ("language", "gender", "word"),
    [("de", "masculine", "ein"), ("de", "feminine", "eine"), ("ru", "feminine", "одна"),
     ("sv", "reale", "en"), ("es", "masculine", "un")],
)  # fmt: skip
def test_one_has_the_gender_of_the_noun_that_the_caller_names(language, gender, word):
    assert cardinal(1, language, gender) == word


@pytest.mark.parametrize(
    ("language", "form", "word"),
    [("de", "-n", "vierundzwanzigsten"), ("ru", "-masculine-genitive", "двадцать четвертого"),
     ("es", "-feminine", "vigésima cuarta")],
)  # fmt: skip
def test_an_ordinal_has_the_form_that_the_caller_names(language, form, word):
    assert ordinal(24, language, form).replace("ё", "е") == word


def test_a_year_is_said_in_hundreds_where_the_language_does():
    assert year(1999, "de") == "neunzehnhundertneunundneunzig"
    assert year(1999, "zh") == "一九九九"


def test_digits_are_said_one_by_one_and_other_characters_dropped():
    assert digits("2-0५", "en") == "two zero five"
