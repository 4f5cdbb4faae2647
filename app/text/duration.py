"""How long a text will sound, estimated from its number of characters."""

CHARS_PER_S = 12.0  # of slow speech


def predicted_s(num_chars: int) -> float:
    return num_chars / CHARS_PER_S
