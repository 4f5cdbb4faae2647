"""Initialisms in English are spelled: FBI, HTTP, GPUs, B2B, MP3.

A word in capitals may also be an acronym that is said as a word (NASA), or shouted. So a word is
spelled where a table knows it, or where it cannot be said. A text in capitals is shouted.
"""
# ruff: noqa: RUF001

import re

from app.text.spoken.english.numbers import cardinal, code
from app.text.spoken.rules import Rule, rule

# With vowels; others are spelled anyway.
_SPELLED_TEXT = """
    AA AAA ABC AC ACL AD ADHD AFK AGI AI AKA AMD AOL API AR ATM AU AUD AV AWS BMI BSA CAD CE CEO
    CES CET CFO CI CIA CIO CLI CMO COO CPA CPI CPU CTO DA DAO DEA DIY DNA DOB DOI DOJ DUI EA ECB
    ECG EDT EEG EFL EKG EMEA EMR EOD EP EPA ER ERP ESA ESG ESL ESPN EST ETA ETF EU EV FAA FAQ FBI
    FDA FDIC FYI GI GIS GMO GOP GPA GPU GRE GUI HBO HDMI HIV HMO HOA HVAC IBM IBS IC ICU ID IDE
    IDK IEEE IFC IMDB IMF IMO INS IO IOS IOT IP IPA IPO IQ IRC IRL IRS ISBN ISO ISP ISS ITV IVF
    KPI LED LTE MBA MCU MIT MMA MMO MRI NAACP NBA NCAA NDA NGO NIH NSA NY NYC NYPD NYU OCD OCR
    OECD OEM OJ OMG OTC OTP PE PGA POC POS POV PPE PSA PSI PTA PTO QA RBI ROI SEC SEO SLA SOP SOS
    SRE SUV TA TBA TGIF TIA TSA TTYL UAE UAV UBS UCLA UDP UFC UFO UHF UI UK UN UPS URI URL US USA
    USB USC USD USDA USPS USSR UTC UV UX VA VAT VIN VIP WIP WTO WWE YMCA YTD
"""
_SAID_TEXT = """
    AIDS AJAX ASAP ASEAN BIOS BREXIT CAPTCHA CMOS COVID CRUD DARPA FEMA FIFA GIF GNU HIPAA IKEA
    JPEG JSON LAN LASER LEGO LIDAR MENSA MERS MOOC NAFTA NASA NASDAQ NATO NIMBY OPEC OSHA PAAS
    PETA PIN RADAR RAM REST ROM SAAS SARS SCUBA SIM SOAP SONAR SPAM SWAT TOEFL UEFA UNESCO UNICEF
    WAN YAML YOLO
"""
_SPELLED, _SAID = frozenset(_SPELLED_TEXT.split()), frozenset(_SAID_TEXT.split())
_VOWELS = re.compile("[AEIOUY]")
_MAX_LETTERS = 5
_SHOUTED = re.compile(r"\b[A-Z]{2,}\b")


def _say(match: re.Match[str]) -> str | None:
    letters, plural = match["letters"], match["plural"]
    if letters in _SAID or not _is_spelled(letters) or _is_shouted(match):
        return None
    return " ".join(letters) + ("'s" if plural else "")


def _is_spelled(letters: str) -> bool:
    return letters in _SPELLED or (len(letters) <= _MAX_LETTERS and not _VOWELS.search(letters))


def _is_shouted(match: re.Match[str]) -> bool:
    """Whether a neighbour is a longer word in capitals, which is no initialism."""
    around = match.string[max(0, match.start() - 20) : match.start()]
    around += " " + match.string[match.end() : match.end() + 20]
    words = [word for word in _SHOUTED.findall(around) if len(word) > 3]
    return any(not _is_spelled(word) and word not in _SAID for word in words)


def _say_both(match: re.Match[str]) -> str:
    return f"{' '.join(match['letters'])} and {' '.join(match['others'])}"


_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def _say_model(match: re.Match[str]) -> str:
    """Letters and a number: B2B, MP3, H2O, A4, Q3, 4K, 5G, 1080p."""
    said = []
    for piece in re.findall(r"[A-Za-z]+|\d+", match[0].translate(_SUBSCRIPTS)):
        if piece.isdecimal():
            said.append(_model_number(piece))
        elif len(piece) <= 3 and (piece.isupper() or not re.search("[aeiouy]", piece.lower())):
            said.append(" ".join(piece.upper()) if piece.isupper() else " ".join(piece))
        else:
            said.append(piece)
    return " ".join(said)


def _model_number(digits: str) -> str:
    return code(digits) if len(digits) in (3, 4) else cardinal(int(digits))


RULES: tuple[Rule, ...] = (
    rule(
        r"""(?<![\w.])(?:[A-Z]{1,4}\d{1,4}[A-Z]{0,3}(?:\d{1,2})?|[A-Z][₀-₉][A-Z]?
            |\d{1,2}(?!ST|ND|RD|TH)[A-Z]{1,3})(?!\w|\.\d)
        |(?<![\w.,$€£])(?:720|1080|1440|2160|480|360)[pi](?!\w)""",
        _say_model,
    ),
    rule(r"(?<!\w)(?P<letters>[A-Z]{1,3})\s?&\s?(?P<others>[A-Z]{1,2})(?!\w)", _say_both),
    rule(r"(?<!\w)(?P<letters>[A-Z]{2,6})(?P<plural>['’]?s)?(?!\w)", _say),
)
