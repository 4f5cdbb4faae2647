"""What a step of T3 costs on this machine, by what is in it.

Runs without torch. Knows nothing about sequences or schedules.
"""

from dataclasses import dataclass
from typing import Self

from app.core import Cost

# No device computes a token of a prompt in less than this share of the time that one reading of the
# weights takes: a GPU in bfloat16 has some 256 operations per byte of its memory's bandwidth.
_LEAST_SHARE = 1 / 256


@dataclass(frozen=True, slots=True)
class StepCost:
    """A step takes `base_s`, `row_s` for each row that decodes, and `token_s` for each token of a
    prompt, in each of its rows. A prompt's tokens are cheaper: they share one reading of the
    weights, and of the cached keys and values."""

    base_s: float
    row_s: float
    token_s: float

    @classmethod
    def measured(cls, decoding: Cost, rows_of_one: int, prompt_token_s: float | None) -> Self:
        """`decoding`: a step of a number of sequences that have `rows_of_one` rows each.
        `prompt_token_s`: None where it was not measured."""
        least_s = decoding.base_s * _LEAST_SHARE
        token_s = least_s if prompt_token_s is None else prompt_token_s
        row_s = decoding.each_s / rows_of_one
        return cls(decoding.base_s, max(row_s, least_s), max(token_s, least_s))

    def decode_s(self, num_rows: int) -> float:
        """Of a step that computes no prompt."""
        return self.base_s + num_rows * self.row_s


# Until the machine is measured. By arithmetic and by full-size turbo in float32 on two cores
# (2026-11): the time of one reading of the weights computes 2 decoding rows, or 8 tokens of a
# prompt. Only the ratios count.
UNKNOWN_CPU = StepCost(1.0, 1 / 2, 1 / 8)
UNKNOWN_GPU = StepCost(1.0, _LEAST_SHARE, _LEAST_SHARE)
