"""What following the words costs a step of T3: two engines with the same weights take turns, one
with an alignment head and one without.

The head may be any: the work is the same. Knows nothing about options or the last line.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from app.engine.t3.alignment_heads import AlignmentHeads, Head
from benchmarks.measure import say
from benchmarks.t3_sides import Engine, Subject


class Steps(NamedTuple):
    """Of each round, in ms per step."""

    without: list[float]
    with_words: list[float]


def word_costs(
    subject: Subject, num_sequences: Sequence[int], num_tokens: int, num_rounds: int
) -> list[Mapping[str, float]]:
    """A row for each number of sequences."""
    heads = AlignmentHeads((Head(subject.spec.t3.num_layers // 3, 0),))
    most = max(num_sequences)
    engines = Engine(subject, most), Engine(subject, most, heads)
    for engine in engines:  # kernels, and the voice's prefix
        engine.decode(most, 2)
    return [_row(num, _take_turns(engines, num, num_tokens, num_rounds)) for num in num_sequences]


def _take_turns(
    engines: tuple[Engine, Engine], num_sequences: int, num_tokens: int, num_rounds: int
) -> Steps:
    steps = Steps([], [])
    for number in range(num_rounds):
        sides = list(zip(engines, steps, strict=True))
        for engine, taken in sides if number % 2 else reversed(sides):
            decoding = engine.decode(num_sequences, num_tokens)
            taken.append(1e3 * num_sequences / decoding.tokens_per_s)
    return steps


def _row(num_sequences: int, steps: Steps) -> Mapping[str, float]:
    """The cost is the median over the rounds, because the machine drifts between them."""
    ratios = [new / old for old, new in zip(*steps, strict=True)]
    row = {
        "num_sequences": num_sequences,
        "ms_per_step": round(median(steps.without), 4),
        "ms_per_step_with_words": round(median(steps.with_words), 4),
        "cost_percent": round(100 * (median(ratios) - 1), 2),
    }
    say(
        f"{num_sequences} sequences: {row['ms_per_step']} ms per step, with words "
        f"{row['ms_per_step_with_words']} ms, {row['cost_percent']} % more"
    )
    return row
