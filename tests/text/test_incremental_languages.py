"""Any cutting of a text gives the words of the whole text, in languages with other letters, digits
and marks than English."""
# ruff: noqa: RUF001

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.text.incremental import IncrementalText
from app.text.plan import TextRules
from tests.text.test_incremental import CUTS, pieces_of, spoken_words, texts

WRITTEN = {
    "de": [
        "Das ist ein ganz gewöhnlicher Satz von heute. ",
        "Es kostet 1.234,56 €, nicht 3,50 Euro. ",
        "Am 24. November 2026 um 9.30 Uhr kommt Dr. Meier. ",
        "Es war z. B. im 19. Jahrhundert, d. h. früher. ",
        "Die Rede war: „Er kam. Er sah es. Er ging.“ ",
        "Heinrich VIII. lebte in England. ",
        "Im Kapitel IV steht es, im Weltkrieg II auch. ",
        "Schreib an jo@beispiel.de oder sieh auf www.beispiel.de/a?b=c nach. ",
        "\n1. Eier aufschlagen\n2. Alles verrühren\n",
        "Es sind 5,3 Mio. Euro, also 50 % von allem. ",
        "Bei 2 + 3 = 5 und -5 °C sind es 100 km/h. ",
    ],
    "fr": [
        "C’est une phrase tout à fait ordinaire. ",
        "Cela coûte 1 234,56 €, pas 3,50 euros. ",
        "Le 24 novembre 2026 à 9h30, M. Dupont vient. ",
        "Il dit : « Il est venu. Il a vu. » Puis il part ! ",
        "Louis XIV vivait au XVIIe siècle, le 1er mai. ",
        "Écrivez à jo@exemple.fr, ou voyez www.exemple.fr/a ; merci. ",
        "Il y a p. ex. 5,3 millions d’euros, soit 50 % du total. ",
        "\n1. Casser les œufs\n2. Mélanger le tout\n",
    ],
    "es": [
        "Esta es una frase del todo ordinaria. ",
        "Cuesta 1.234,56 €, no 3,50 euros. ",
        "El 24 de noviembre de 2026 a las 9:30 p. m. viene el Sr. López. ",
        "¿Qué dijo? ¡Nada! «Vino. Lo vio. Se fue.» ",
        "Felipe II vivió en el siglo XVI, en la 3.ª planta. ",
        "Escribe a jo@ejemplo.es o mira www.ejemplo.es/a ya. ",
        "Son 5,3 millones de euros, es decir, el 50 % de todo. ",
    ],
    "zh": [
        "这是一个很普通的句子。",
        "他付了12.50元,不是3.8万元。",
        "会议在2026年11月24日上午9:30开始!",
        "他说:“他来了。他看见了。他走了。”",
        "增长了50%,也就是3/4。",
        "气温是-5℃,车速是100km/h。",
        "电话是13812345678,请打。",
    ],
    "ja": [
        "これはとても普通の文です。",
        "値段は1,250円で、3.5万円ではない。",
        "会議は2026年11月24日午前9時30分に始まる!",
        "「彼は来た。彼は見た。」と言った。",
        "今日は50%増えて、3/4になった。",
        "気温は-5℃で、速さは100km/hだ。",
    ],
    "hi": [
        "यह एक बहुत साधारण वाक्य है। ",
        "इसका दाम ₹1,23,456.50 है, ३.१४ नहीं। ",
        "24 नवंबर 2026 को सुबह 9:30 बजे डॉ. शर्मा आए। ",
        "उसने कहा: “वह आया। उसने देखा।” ",
        "यह 50% है, यानी 3/4, और १२.५ किमी दूर है। ",
        "वह 5वीं बार आया? हाँ! ",
    ],
    "ar": [
        "هذه جملة عادية جدا من اليوم. ",
        "السعر ٣٫١٤ دولار، وليس $20 أو 3.5. ",
        "في 24 نوفمبر 2026 الساعة 9:30 جاء د. أحمد. ",
        "هل جاء؟ نعم! قال: «جاء. رأى. ذهب.» ",
        "النسبة 50%، أي 3/4؛ والمسافة ٢٥ كم. ",
    ],
    "ru": [
        "Это совершенно обычное предложение. ",
        "Это стоит 1 234,56 руб., а не 3,50 €. ",
        "24 ноября 2026 г. в 9:30 пришёл проф. Иванов. ",
        "Он сказал: «Пришёл. Увидел. Ушёл.» И всё! ",
        "Пётр I жил в XVIII в., т. е. давно, в 1990-х. ",
        "Это 5,3 млн человек, т. е. 50 % и 3/4. ",
        "Пишите на jo@primer.ru или на www.primer.ru/a. ",
    ],
    "th": [
        "นี่คือประโยคธรรมดา ",
        "ราคา 1,250.50 บาท ไม่ใช่ ๓.๑๔ บาท ",
        "วันที่ 24 พฤศจิกายน 2569 เวลา 9:30 น. ",
        "เพิ่มขึ้น 50% แล้ว ใช่ไหม? ",
        "เขาพูดว่า “มาแล้ว เห็นแล้ว ไปแล้ว” ",
        "ภาษาไทยไม่มีช่องว่างระหว่างคำจึงต้องตัดที่ขอบเขตของคำ",
    ],
}  # fmt: skip

# Time may part a Roman numeral from a name, since every German noun looks like a name.
NAMED = "Heinrich VIII. lebte in England. "


def letters(found, rules):
    """Scripts without spaces have no words of their own."""
    return "".join(spoken_words(found, rules))


def cut_into(pieces, rules):
    stream = IncrementalText.of(rules)
    takes = [take for piece in pieces for take in stream.push(piece)]
    return texts([*takes, *stream.flush()])


@pytest.mark.parametrize("language", WRITTEN)
@settings(max_examples=40)
@given(data=st.data(), cuts=CUTS)
def test_any_cutting_gives_the_words_of_the_whole_text(language, data, cuts):
    rules = TextRules(language=language)
    text = data.draw(st.lists(st.sampled_from(WRITTEN[language]), max_size=12).map("".join))
    takes = cut_into(pieces_of(text, cuts), rules)
    assert letters(takes, rules) == letters([text], rules)
    assert cut_into(list(text), rules) == takes


@pytest.mark.parametrize("language", WRITTEN)
@settings(max_examples=40)
@given(data=st.data(), waits=st.sets(st.integers(0, 120)))
def test_time_between_two_pieces_changes_no_word(language, data, waits):
    rules = TextRules(language=language)
    written = [each for each in WRITTEN[language] if each != NAMED]
    text = data.draw(st.lists(st.sampled_from(written), max_size=8).map("".join))
    stream, takes = IncrementalText.of(rules), []
    for number, piece in enumerate(re.findall(r"\S+\s*|\s+", text)):
        takes += stream.push(piece)
        if number in waits:
            takes += stream.flush_closed()
    takes = texts([*takes, *stream.flush()])
    assert letters(takes, rules) == letters([text], rules)
