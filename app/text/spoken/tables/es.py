"""Spanish."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.words import Words
from app.text.spoken.icu import month_name
from app.text.spoken.numbers import cardinal, ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule, written


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{cardinal(day, 'es')} de {month_name(month, 'es')}"
    return f"{said} de {cardinal(year, 'es')}" if year else said


def _time(hour: int, minute: int, second: int | None) -> str:
    hours = cardinal(hour, "es", "feminine")
    said = f"{hours} y {cardinal(minute, 'es')}" if minute else hours
    return f"{said} y {cardinal(second, 'es')} segundos" if second else said


def _say_clock(match: re.Match[str]) -> str:
    said = _time(int(match["hour"]), int(written(match, "minute") or 0), None)
    half = written(match, "half")
    return f"{said} {'a m' if half[0] in 'aA' else 'p m'}" if half else said


def _say_ordinal(match: re.Match[str]) -> str:
    """1.º primero, 3.er tercer, 2.ª segunda."""
    number = int(match["number"])
    if match["suffix"] in ("ª", "a"):
        return ordinal(number, "es", "-feminine")
    said = ordinal(number, "es")
    return said[:-1] if match["suffix"] == "er" else said


_MAX_ORDINAL = 10  # of kings, popes and centuries


def _say_king(match: re.Match[str]) -> str:
    number = value_of(match["roman"])
    if number > _MAX_ORDINAL:
        return cardinal(number, "es")
    is_queen = match["name"] in ("Isabel", "Catalina", "Margarita", "Cristina")
    return ordinal(number, "es", "-feminine" if is_queen else "")


def _say_roman(match: re.Match[str]) -> str:
    return cardinal(value_of(match["roman"]), "es")


_FEMININE = (
    "mujer", "mujeres", "vez", "veces", "noche", "noches", "clase", "clases", "calle", "calles",
    "ciudad", "ciudades", "parte", "partes", "frase", "frases", "mano", "manos", "foto", "fotos",
    "llave", "llaves", "opción", "opciones", "canción", "canciones", "habitación", "habitaciones",
    "sesión", "sesiones", "versión", "versiones", "edición", "ediciones", "luz", "luces", "voz",
    "voces", "tarde", "tardes", "flor", "flores", "red", "redes", "serie", "series",
)  # fmt: skip
_MASCULINE = ("día", "problema", "tema", "mapa", "idioma", "sistema", "programa", "planeta")


def _gender_before(following: str) -> str:
    """By the ending of the noun behind a number; none where it does not tell."""
    noun = re.match(r"\s([a-záéíóúñ]{3,})", following)
    if noun is None:
        return ""
    if noun[1] in _FEMININE:
        return "feminine"
    if noun[1].endswith(("as", "a")) and noun[1].rstrip("s") not in _MASCULINE:
        return "feminine"
    return "masculine" if noun[1].endswith(("os", "o", "a", "as")) else ""


_KINGS = (
    "Felipe|Alfonso|Carlos|Juan|Pablo|Juan\\sPablo|Fernando|Enrique|Luis|Isabel|Catalina|Jorge|"
    "Benedicto|Pío|Eduardo|Guillermo|Napoleón|Pedro|Jaime|Sancho|Ricardo|Margarita|Cristina|León"
)
RULES: tuple[Rule, ...] = (
    rule(
        r"""(?<![\w:.,])(?P<hour>[01]?\d|2[0-4])[:.](?P<minute>[0-5]\d)\s?
        (?P<half>[ap]\.\s?m\.|[aApP][mM]\b)""",
        _say_clock,
    ),
    rule(
        r"(?<![\w:.,])(?P<hour>1[0-2]|[1-9])(?P<minute>)\s?(?P<half>[ap]\.\s?m\.|[aApP][mM]\b)",
        _say_clock,
    ),
    rule(r"(?<![\w.,])(?P<number>\d{1,3})\.?(?P<suffix>º|ª|°(?=\s[a-z])|er(?!\w))", _say_ordinal),
    rule(rf"\b(?P<name>{_KINGS})\s(?P<form>{ROMAN})(?![\w-])", _say_king),
    rule(
        rf"""\b(?:[Ss]iglos?|[Cc]apítulo|[Tt]omo|[Pp]arte|Mundial|s\.)\s
        (?P<form>{ROMAN})(?![\w-])""",
        _say_roman,
    ),
)
WORDS = Words(
    language="es",
    point="coma",
    minus="menos",
    degrees="grados",
    to="a",
    ratio="a",
    by="por",
    times="veces",
    over="sobre",
    signs={"+": "más", "-": "menos", "\N{MINUS SIGN}": "menos", "*": "por", "×": "por", "·": "por",
           "x": "por", "/": "entre", "÷": "entre", "=": "igual a", "<": "menor que",
           ">": "mayor que",
           "≤": "menor o igual que", "≥": "mayor o igual que", "≠": "distinto de",
           "≈": "aproximadamente igual a", "±": "más menos"},
    marks={"&": "y", "§": "sección", "%": "por ciento", "+": "más", "=": "igual a", "@": "arroba",
           "#": "almohadilla", "€": "euros", "$": "dólares", "°": "grados", "_": "guion bajo",
           "©": "copyright", "™": "", "®": "", "№": "número", "→": "a", "~": "aproximadamente"},
    address={".": "punto", "@": "arroba", "/": "barra", "-": "guion", "_": "guion bajo",
             "?": "signo de interrogación", "=": "igual", "&": "y", "#": "almohadilla",
             ":": "dos puntos", "+": "más", "%": "por ciento", "~": "tilde"},
    abbreviations={
        "Sr.": "señor", "Sra.": "señora", "Srta.": "señorita", "Sres.": "señores", "Dr.": "doctor",
        "Dra.": "doctora", "D.": "don", "Dña.": "doña", "Ud.": "usted", "Uds.": "ustedes",
        "Vd.": "usted", "Vds.": "ustedes", "EE. UU.": "Estados Unidos", "EE.UU.": "Estados Unidos",
        "EEUU": "Estados Unidos", "etc.": "etcétera", "p. ej.": "por ejemplo",
        "p.ej.": "por ejemplo",
        "núm.": "número", "n.º": "número", "nº": "número", "pág.": "página", "págs.": "páginas",
        "tel.": "teléfono", "Tel.": "teléfono", "av.": "avenida", "Av.": "avenida",
        "Avda.": "avenida",
        "Prof.": "profesor", "Profa.": "profesora", "aprox.": "aproximadamente", "máx.": "máximo",
        "mín.": "mínimo", "a. C.": "antes de Cristo", "d. C.": "después de Cristo",
        "S. A.": "sociedad anónima", "S.A.": "sociedad anónima", "Gral.": "general",
        "Sto.": "santo",
        "Sta.": "santa", "Ing.": "ingeniero", "Lic.": "licenciado", "dcha.": "derecha",
        "izda.": "izquierda", "Cía.": "compañía", "vs.": "versus", "a. m.": "a m", "p. m.": "p m",
        "ADN": "A D N", "DNI": "D N I", "IVA": "IVA", "ONG": "O N G", "ONU": "ONU", "UE": "U E",
        "PDF": "P D F", "TV": "T V", "USB": "U S B", "FBI": "F B I", "URL": "U R L", "PIB": "PIB",
        "c/": "calle",
    },
    numbered={"n.º": "número", "nº": "número", "N.º": "número", "núm.": "número", "Nº": "número",
              "pág.": "página", "p.": "página", "págs.": "páginas", "pp.": "páginas",
              "cap.": "capítulo", "fig.": "figura", "vol.": "volumen", "art.": "artículo",
              "#": "número"},
    scales={"mil": ("mil", "mil"), "M": ("millón", "millones"), "millón": ("millón", "millones"),
            "millones": ("millón", "millones"), "mill.": ("millón", "millones"),
            "billones": ("billón", "billones"), "mil millones": ("mil millones", "mil millones")},
    scale_link="de ",
    cents={"EUR": ("",), "USD": ("centavo", "centavos"), "GBP": ("penique", "peniques"),
           "MXN": ("centavo", "centavos")},
    cents_link="con",
    genders={"": "masculine", "libra": "feminine", "libras": "feminine", "corona sueca": "feminine",
             "coronas suecas": "feminine", "rupia india": "feminine", "rupias indias": "feminine",
             "hora": "feminine", "tonelada": "feminine", "milla": "feminine", "yarda": "feminine",
             "pulgada": "feminine", "onza": "feminine"},
    fractions={"1/2": "un medio", "1/3": "un tercio", "2/3": "dos tercios", "1/4": "un cuarto",
               "3/4": "tres cuartos", "1/5": "un quinto", "1/10": "un décimo", "½": "medio",
               "¼": "un cuarto", "¾": "tres cuartos", "⅓": "un tercio", "⅔": "dos tercios"},
    date=_date,
    time=_time,
    clock={f"{word} las": f"{word} las" for word in ("a", "de", "desde", "hasta")},
    phones=r"[6789]\d{2}[ -]\d{3}[ -]\d{3}|[89]\d\ ?\d{3}\ \d\d\ \d\d|[6789]\d\d(?:\ \d\d){3}",
    agreement=_gender_before,
)  # fmt: skip
