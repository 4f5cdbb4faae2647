"""Random texts in the style of a voice agent, with a fixed distribution of lengths.

40 % of the texts have at most 40 characters, 45 % have 41 to 160, 15 % have 161 to 600.
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


def draw_num_chars(rng: random.Random) -> int:
    at = rng.random()
    for share, shortest, longest in LENGTHS:
        if at < share:
            return rng.randint(shortest, longest)
        at -= share
    return LENGTHS[-1][2]


def draw_text(rng: random.Random) -> str:
    """Random sentences, cut to exactly the length that was drawn."""
    num_chars = draw_num_chars(rng)
    words = ""
    while len(words) < num_chars:
        words += rng.choice(_SENTENCES) + " "
    return words[: num_chars - 1] + "."
