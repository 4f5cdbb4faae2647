"""Roman numerals."""

ROMAN = r"(?P<roman>(?=[IVX])X{0,3}(?:IX|IV|V?I{0,3}))"  # up to 39: kings, popes and centuries
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


def value_of(roman: str) -> int:
    """Up to some hundreds."""
    total = 0
    for letter, following in zip(roman, [*roman[1:], ""], strict=True):
        value = _VALUES[letter]
        total += -value if value < _VALUES.get(following, 0) else value
    return total
