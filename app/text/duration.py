"""How long a text will sound, estimated from its number of characters."""

CHARS_PER_S = 12.0  # of slow speech
_FEWEST_CHARS_PER_S = 10.0  # of the slowest voices


def predicted_s(num_chars: int) -> float:
    return num_chars / CHARS_PER_S


def chars_within(seconds: float) -> int:
    """The number of characters that sound no longer than this, also in a slow voice."""
    return int(seconds * _FEWEST_CHARS_PER_S)
