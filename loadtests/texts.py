"""What callers of an agent hear: texts of stated lengths, drawn by a seed.

40 % have at most 40 characters, 45 % have 41 to 160, 15 % have 161 to 600.
"""

import random

LENGTHS = (  # share, shortest, longest
    (0.40, 8, 40),
    (0.45, 41, 160),
    (0.15, 161, 600),
)
_SENTENCES = (
    "Of course.",
    "One moment, please.",
    "I have found your order.",
    "It left the warehouse this morning.",
    "You should have it by Thursday afternoon.",
    "Would you like me to send the details by mail?",
    "The train to the coast leaves at a quarter past nine.",
    "There is one change, and you will have twelve minutes for it.",
    "If the weather stays like this, the ferry will be on time as well.",
    "I can book two seats by the window, or four around a table.",
    "Please tell me which of them you prefer.",
    "That was quick, thank you.",
)


def num_chars_drawn(chance: random.Random) -> int:
    at = chance.random()
    for share, shortest, longest in LENGTHS:
        if at < share:
            return chance.randint(shortest, longest)
        at -= share
    return LENGTHS[-1][2]


def text_drawn(chance: random.Random) -> str:
    """Sentences, cut to exactly the length that is drawn."""
    num_chars = num_chars_drawn(chance)
    words = ""
    while len(words) < num_chars:
        words += chance.choice(_SENTENCES) + " "
    return words[: num_chars - 1] + "."
