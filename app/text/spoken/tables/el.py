"""Greek. Ordinals are in the nominative."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.clock import date_with, time_with
from app.text.spoken.general.ordinals import rulers
from app.text.spoken.general.words import Words
from app.text.spoken.numbers import ordinal
from app.text.spoken.rules import Rule, alternatives, rule

_GENDERS = {"ος": "-masculine", "η": "-feminine", "ο": "-neuter"}
_LETTERS = {"Α": 1, "Β": 2, "Γ": 3, "Δ": 4, "Ε": 5, "ΣΤ": 6, "Ζ": 7, "Η": 8, "Θ": 9, "Ι": 10}
_QUEENS = ("Ελισάβετ", "Αικατερίνη", "Μαργαρίτα")
_KINGS = ("Γεώργιος", "Κωνσταντίνος", "Παύλος", "Αλέξανδρος", "Φίλιππος", "Λουδοβίκος", "Κάρολος",
          "Ερρίκος", "Πτολεμαίος", "Ναπολέων", "Ιουστινιανός", "Βασίλειος", "Ιωάννης Παύλος",
          "Νικόλαος", "Πίος")  # fmt: skip


def _ordinal(number: int, gender: str) -> str:
    """The locale data writes the neuter eighth with one o."""
    return re.sub(r"όγδο\b", "όγδοο", ordinal(number, "el", gender))


def _say_ordinal(match: re.Match[str]) -> str:
    return _ordinal(int(match["number"]), _GENDERS[match["ending"]])


def _say_ruler(number: int, name: str) -> str:
    article, gender = ("η", "-feminine") if name in _QUEENS else ("ο", "-masculine")
    return f"{article} {_ordinal(number, gender)}"


def _say_letter(match: re.Match[str]) -> str:
    return _say_ruler(_LETTERS[match["letter"]], match["name"])


def _say_war(match: re.Match[str]) -> str:
    return _ordinal(_LETTERS[match["letter"]], "-masculine").capitalize()


_NAMES = alternatives((*_QUEENS, *_KINGS))
_LETTER = rf"(?P<letter>{alternatives(_LETTERS)})[΄ʹ'’´]"
RULES: tuple[Rule, ...] = (
    rule(r"(?<![\w.,])(?P<number>\d{1,4})(?P<ending>ος|η|ο)(?!\w)", _say_ordinal),
    rulers((*_QUEENS, *_KINGS), _say_ruler),
    rule(rf"(?<!\w)(?P<name>{_NAMES})\s(?P<form>{_LETTER})", _say_letter),
    rule(rf"(?<!\w){_LETTER}(?=\s(?:Παγκόσμιος|παγκόσμιος))", _say_war),
)
WORDS = Words(
    language="el",
    minus="μείον",
    degrees="βαθμοί",
    to="έως",
    by="επί",
    over="διά",
    signs={"+": "συν", "-": "μείον", "\N{MINUS SIGN}": "μείον", "*": "επί", "×": "επί",
           "·": "επί", "x": "επί", "/": "διά", ":": "διά", "÷": "διά", "=": "ίσον"},
    marks={"&": "και", "%": "τοις εκατό", "+": "συν", "=": "ίσον", "@": "παπάκι"},
    address={".": "τελεία", "@": "παπάκι", "/": "κάθετος", "-": "παύλα", "_": "κάτω παύλα",
             "?": "ερωτηματικό", "=": "ίσον", "&": "και", "#": "δίεση",
             ":": "άνω κάτω τελεία", "+": "συν", "%": "τοις εκατό"},
    abbreviations={
        "π.χ.": "παραδείγματος χάριν", "κ.λπ.": "και λοιπά", "κλπ.": "και λοιπά",
        "κ.ά.": "και άλλα", "δηλ.": "δηλαδή", "π.μ.": "προ μεσημβρίας",
        "μ.μ.": "μετά μεσημβρίας", "ο κ.": "ο κύριος", "η κ.": "η κυρία",
        "τον κ.": "τον κύριο", "του κ.": "του κυρίου", "την κ.": "την κυρία",
        "της κ.": "της κυρίας", "π.Χ.": "προ Χριστού", "μ.Χ.": "μετά Χριστόν",
        "σελ.": "σελίδα", "τηλ.": "τηλέφωνο", "δρ.": "δόκτωρ", "βλ.": "βλέπε",
        "Ε.Ε.": "Ευρωπαϊκή Ένωση", "κεφ.": "κεφάλαιο", "χλμ.": "χιλιόμετρα",
    },
    numbered={"αρ.": "αριθμός", "σελ.": "σελίδα", "κεφ.": "κεφάλαιο", "#": "αριθμός"},
    scales={"εκατ.": ("εκατομμύριο", "εκατομμύρια"), "δισ.": ("δισεκατομμύριο", "δισεκατομμύρια"),
            "εκατομμύριο": ("εκατομμύριο", "εκατομμύρια"),
            "εκατομμύρια": ("εκατομμύριο", "εκατομμύρια"),
            "δισεκατομμύρια": ("δισεκατομμύριο", "δισεκατομμύρια")},
    cents={"": ("",)},
    cents_link="και",
    date=date_with("el", " "),
    time=time_with("el"),
)  # fmt: skip
