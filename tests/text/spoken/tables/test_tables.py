"""What each language says beside its numbers. The reference set has the common forms."""
# ruff: noqa: RUF001

import pytest

from tests.support.spoken import said

CASES = {
    "de": [
        ("Am 24.11.2026 um 9:30 Uhr", "Am vierundzwanzigsten November zweitausendsechsundzwanzig "
         "um neun Uhr dreißig"),
        ("Der 2. Weltkrieg. Ich habe 3. Dann", "Der zweite Weltkrieg. Ich habe drei. Dann"),
        ("1 Mio. €, 0,99 €", "eine Million Euro, null Euro neunundneunzig"),
        ("Python 3.11, 1.234,5 kg", "Python drei Komma eins eins, "
         "eintausendzweihundertvierunddreißig Komma fünf Kilogramm"),
        ("In den 80er Jahren", "In den achtziger Jahren"),
        ("3:2, 5-10 kg", "drei zu zwei, fünf bis zehn Kilogramm"),
        ("Mo.–Fr. 9–17 Uhr", "Montag bis Freitag neun bis siebzehn Uhr"),
        ("Mo-Fr 8-12 Uhr, Sa 9:00-12:00", "Montag bis Freitag acht bis zwölf Uhr, "
         "Samstag neun Uhr bis zwölf Uhr"),
        ("Fr. 12. Mai", "Freitag zwölfter Mai"),
        ("Sa. und So. frei, am Fr. nicht", "Samstag und Sonntag frei, am Freitag nicht"),
        ("Fr. Huber zahlt 5 Fr. dafür", "Frau Huber zahlt fünf Schweizer Franken dafür"),
        ("Das ist So. Jetzt", "Das ist So. Jetzt"),
        ("m.E. z.T. u.U. s.o. MwSt, Hauptstr. 5", "meines Erachtens zum Teil unter Umständen "
         "siehe oben Mehrwertsteuer, Hauptstraße fünf"),
        ("Heinrich VIII.\nDann", "Heinrich der Achte\nDann"),
        ("+49 30 901820", "plus vier neun, drei null, neun null eins acht zwei null"),
    ],
    "es": [
        ("21 libros, 1 hora, 21 personas", "veintiún libros, una hora, veintiuna personas"),
        ("Isabel II y el 24 de mayo.", "Isabel segunda y el veinticuatro de mayo."),
        ("21 mujeres, 1 mujer", "veintiuna mujeres, una mujer"),
        ("1:30 p. m. ya", "una y treinta p m ya"),
        ("$5.3 millones", "cinco coma tres millones de dólares"),
    ],
    "fr": [
        ("5 M€, 1 234,56 €", "cinq millions d'euros, mille deux cent trente-quatre euros "
         "cinquante-six"),
        ("21 h, 1h30", "vingt-et-une heures, une heure trente"),
        ("Il vient le 1er mai.", "Il vient le premier mai."),
    ],
    "ru": [
        ("24.11.2026", "двадцать четвертое ноября две тысячи двадцать шестого года"),
        ("12,5 %, 1 %, 3 %", "двенадцать целых пять десятых процента, один процент, "
         "три процента"),
        ("1 234,56 руб.", "одна тысяча двести тридцать четыре рубля пятьдесят шесть копеек"),
        ("В XIX в. было, XX в.", "В девятнадцатом веке было, двадцатый век"),
        ("3-5 дней", "три-пять дней"),
        ("1990-е, в 1990-х", "тысяча девятьсот девяностые, в тысяча девятьсот девяностых"),
        ("2 млн, 5 млн, 2,5 млн", "два миллиона, пять миллионов, две целых пять десятых миллиона"),
        ("XX век, Екатерина II", "двадцатый век, Екатерина вторая"),
    ],
    "sv": [("1 kg, 1 kr", "ett kilogram, en krona"), ("kl. 14.05", "klockan fjorton noll fem")],
    "hi": [("₹1,23,456.50", "एक लाख तेईस हज़ार चार सौ छप्पन रुपये पचास पैसे"), ("3री बार", "तीसरी बार")],
    "ar": [("الساعة 9:30", "الساعة التاسعة والنصف"), ("٢٥ كم", "خمسة وعشرون كيلومترًا")],
    "da": [("1 €, 1 mio. kr.", "en euro, en million kroner.")],
    "ms": [("RM20.50", "dua puluh ringgit lima puluh sen")],
    "it": [("fa 20° oggi, p.es. così", "fa venti gradi oggi, per esempio così"),
           ("1 maggio", "primo maggio"), ("5,50 €", "cinque euro e cinquanta"),
           ("24/11/2026", "ventiquattro novembre duemilaventisei")],
    "pt": [("24 de novembro.", "vinte e quatro de novembro.")],
    "tr": [("%12,5, 50%", "yüzde on iki virgül beş, yüzde elli")],
    "nl": [("5 km/u", "vijf kilometer per uur")],
    "pl": [("2 km, 5 km", "dwa kilometry, pięć kilometrów"),
           ("w 1950 r. i w 1960 roku", "w tysiąc dziewięćset pięćdziesiątym roku i w tysiąc "
            "dziewięćset sześćdziesiątym roku")],
    "ko": [("12.5%", "십이점오 퍼센트")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [(language, *case) for language, cases in CASES.items() for case in cases],
)
def test_a_form_is_said(language, text, words):
    assert said(text, language).replace("ё", "е") == words
