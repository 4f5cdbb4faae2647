"""Finnish. The case of an ordinal beside its noun is not known: it stays in the nominative."""
# ruff: noqa: RUF001

from app.text.spoken.general.clock import date_of_ordinals, time_with
from app.text.spoken.general.ordinals import dotted_ordinals, rulers
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import ordinal
from app.text.spoken.rules import Rule


def _say_ruler(number: int, name: str) -> str:
    return ordinal(number, "fi")


_RULERS = ("Kaarle", "Kustaa", "Aleksanteri", "Nikolai", "Henrik", "Ludvig", "Elisabet", "Erik",
           "Juhana", "Katariina", "Harald", "Olavi", "Johannes Paavali", "Pius", "Yrjö",
           "Benedictus", "Margareeta", "Vilhelm")  # fmt: skip
RULES: tuple[Rule, ...] = (dotted_ordinals("fi"), rulers(_RULERS, _say_ruler))
WORDS = Words(
    language="fi",
    minus="miinus",
    to="viiva",
    by="kertaa",
    times="kertaa",
    signs={"+": "plus", "-": "miinus", "\N{MINUS SIGN}": "miinus", "*": "kertaa", "×": "kertaa",
           "·": "kertaa", "x": "kertaa", "/": "jaettuna", ":": "jaettuna", "÷": "jaettuna",
           "=": "on yhtä kuin"},
    marks={"&": "ja", "§": "pykälä", "%": "prosenttia", "+": "plus", "=": "on yhtä kuin",
           "@": "ät-merkki"},
    address={".": "piste", "@": "ät-merkki", "/": "kauttaviiva", "-": "väliviiva",
             "_": "alaviiva", "?": "kysymysmerkki", "=": "yhtä kuin", "&": "ja", "#": "risuaita",
             ":": "kaksoispiste", "+": "plus", "%": "prosentti"},
    abbreviations={
        "esim.": "esimerkiksi", "ym.": "ynnä muuta", "yms.": "ynnä muuta sellaista",
        "tms.": "tai muuta sellaista", "jne.": "ja niin edelleen", "mm.": "muun muassa",
        "ts.": "toisin sanoen", "eaa.": "ennen ajanlaskun alkua",
        "jaa.": "jälkeen ajanlaskun alun", "klo": "kello", "puh.": "puhelin", "nro": "numero",
        "ks.": "katso", "vrt.": "vertaa", "ns.": "niin sanottu", "prof.": "professori",
        "tri": "tohtori", "ml.": "mukaan lukien",
    },
    numbered={"n.": "noin", "s.": "sivu", "nro": "numero", "v.": "vuonna", "luku": "luku",
              "#": "numero"},
    scales={"milj.": ("miljoona", "miljoonaa"), "mrd.": ("miljardi", "miljardia"),
            "miljoona": ("miljoona", "miljoonaa"), "miljoonaa": ("miljoona", "miljoonaa"),
            "miljardia": ("miljardi", "miljardia")},
    cents={"": ("",)},
    date=date_of_ordinals("fi"),
    time=time_with("fi"),
    clock={"klo": "kello", "kello": "kello"},
)  # fmt: skip
