"""Money in English: $5.3 billion, £20, 5€, USD 5, 50¢, $5-10, $100/month."""

import re
from typing import NamedTuple

from app.text.spoken.english.numbers import (
    DASH,
    MINUS,
    NUMBER,
    SCALE_WORD,
    SCALES,
    cardinal,
    is_one,
    number,
    without_separators,
)
from app.text.spoken.english.units import PER
from app.text.spoken.rules import Rule, rule, written


class Currency(NamedTuple):
    one: str
    many: str
    cent: str = ""
    cents: str = ""


_DOLLAR = ("dollar", "dollars", "cent", "cents")
CURRENCIES = {
    "$": Currency(*_DOLLAR),
    "€": Currency("euro", "euros", "cent", "cents"),
    "£": Currency("pound", "pounds", "penny", "pence"),
    "¥": Currency("yen", "yen"),
    "₹": Currency("rupee", "rupees", "paisa", "paise"),
    "₩": Currency("won", "won"),
    "₽": Currency("ruble", "rubles", "kopeck", "kopecks"),
    "₺": Currency("lira", "lira", "kurus", "kurus"),
    "₴": Currency("hryvnia", "hryvnias", "kopiyka", "kopiykas"),
    "₪": Currency("shekel", "shekels", "agora", "agorot"),
    "₫": Currency("dong", "dong"),
    "₱": Currency("peso", "pesos", "centavo", "centavos"),
    "₦": Currency("naira", "naira", "kobo", "kobo"),
    "฿": Currency("baht", "baht", "satang", "satang"),
    "₿": Currency("bitcoin", "bitcoins"),
    "US$": Currency("US dollar", "US dollars", "cent", "cents"),
    "A$": Currency("Australian dollar", "Australian dollars", "cent", "cents"),
    "AU$": Currency("Australian dollar", "Australian dollars", "cent", "cents"),
    "C$": Currency("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "CA$": Currency("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "NZ$": Currency("New Zealand dollar", "New Zealand dollars", "cent", "cents"),
    "HK$": Currency("Hong Kong dollar", "Hong Kong dollars", "cent", "cents"),
    "R$": Currency("real", "reais", "centavo", "centavos"),
    "USD": Currency("US dollar", "US dollars", "cent", "cents"),
    "EUR": Currency("euro", "euros", "cent", "cents"),
    "GBP": Currency("pound", "pounds", "penny", "pence"),
    "JPY": Currency("yen", "yen"),
    "CNY": Currency("yuan", "yuan"),
    "RMB": Currency("yuan", "yuan"),
    "INR": Currency("rupee", "rupees", "paisa", "paise"),
    "Rs.": Currency("rupee", "rupees", "paisa", "paise"),
    "Rs": Currency("rupee", "rupees", "paisa", "paise"),
    "KRW": Currency("won", "won"),
    "CHF": Currency("Swiss franc", "Swiss francs", "centime", "centimes"),
    "AUD": Currency("Australian dollar", "Australian dollars", "cent", "cents"),
    "CAD": Currency("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "SEK": Currency("Swedish krona", "Swedish kronor", "öre", "öre"),
    "NOK": Currency("Norwegian krone", "Norwegian kroner", "øre", "øre"),
    "DKK": Currency("Danish krone", "Danish kroner", "øre", "øre"),
    "PLN": Currency("zloty", "zlotys", "grosz", "groszy"),
    "MXN": Currency("Mexican peso", "Mexican pesos", "centavo", "centavos"),
    "BRL": Currency("real", "reais", "centavo", "centavos"),
    "BTC": Currency("bitcoin", "bitcoins"),
}
_SYMBOL = "|".join(re.escape(sign) for sign in sorted(CURRENCIES, key=len, reverse=True))
_BEHIND = "|".join(sign for sign in _SYMBOL.split("|") if not sign.endswith("."))
_SCALE = rf"""(?:(?P<scale>[KkMmBbTt]|mn|[Bb]n|tn|MM)(?![\w])
           | [\ -](?P<scale_word>{SCALE_WORD}|[Bb]n|mn|tn)\b)?"""
_PER = rf"(?:\s?/\s?(?P<per>{'|'.join(PER)})\b)?"


def _say(match: re.Match[str]) -> str:
    currency = CURRENCIES[match["currency"]]
    scale = written(match, "scale_word") or written(match, "scale")
    scale = SCALES.get(scale.lower(), scale)
    sign = "minus " if written(match, "sign") else ""
    first = written(match, "from")
    said = _amount(match["amount"], scale, currency)
    if first:
        said = f"{number(first)} to {said}"
    per = f" {PER[match['per']]}" if match["per"] else ""
    return f"{sign}{said}{per}"


def _amount(amount: str, scale: str, currency: Currency) -> str:
    if scale:
        return f"{number(amount)} {scale} {currency.many}"
    amount = _DECIMAL_COMMA.sub(".", amount)
    if amount.count(".") > 1:
        amount = amount.replace(".", "")
    whole, _, fraction = amount.partition(".")
    if len(fraction) != 2 or not currency.cent:
        return f"{number(amount)} {currency.one if is_one(amount) else currency.many}"
    cents = int(fraction)
    minor = f"{cardinal(cents)} {currency.cent if cents == 1 else currency.cents}"
    if not int(without_separators(whole) or "0"):
        return minor if cents else f"zero {currency.many}"
    major = f"{number(whole)} {currency.one if is_one(whole) else currency.many}"
    return f"{major} and {minor}" if cents else major


def _say_pence(match: re.Match[str]) -> str:
    return f"{number(match['amount'])} {'penny' if is_one(match['amount']) else 'pence'}"


def _say_cents(match: re.Match[str]) -> str:
    return f"{number(match['amount'])} {'cent' if is_one(match['amount']) else 'cents'}"


_DECIMAL_COMMA = re.compile(r",(?=\d\d$)")  # €3,50
# $1.234.567, €3,50
_AMOUNT = rf"(?P<amount>\d{{1,3}}(?:\.\d{{3}}){{2,}}(?!\d)|\d+,\d\d(?!\d|,\d)|{NUMBER})"
_RANGE = rf"(?:(?P<from>{NUMBER})\s?{DASH}\s?(?:%s)?)?"
RULES: tuple[Rule, ...] = (
    rule(
        rf"""(?<![\w.,])(?P<sign>{MINUS})?(?P<currency>{_SYMBOL})\s?
        {_RANGE % _SYMBOL}{_AMOUNT}{_SCALE}{_PER}(?![\w])""",
        _say,
    ),
    rule(
        rf"""(?<![\w.,])(?P<sign>{MINUS})?
        {_RANGE % _SYMBOL}{_AMOUNT}{_SCALE}\s?(?P<currency>{_BEHIND})(?!\w){_PER}""",
        _say,
    ),
    rule(rf"(?<![\w.,])(?P<amount>{NUMBER})\s?¢", _say_cents),
    rule(r"(?<![\w.,])(?!(?:480|720|1080|1440|2160)p)(?P<amount>\d{1,4})p(?!\w)", _say_pence),
)
