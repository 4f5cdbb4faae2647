"""Random conditionals, and their comparison."""

import torch

from app.engine.conditionals import Conditionals, S3GenConditionals, T3Conditionals


def random_conditionals(
    voice: str, seed: int, *, num_t3_tokens: int, num_s3gen_tokens: int
) -> Conditionals:
    generator = torch.Generator().manual_seed(seed)
    return Conditionals(
        voice,
        T3Conditionals(
            torch.randn(256, generator=generator),
            torch.randint(0, 6561, (num_t3_tokens,), generator=generator),
        ),
        S3GenConditionals(
            torch.randint(0, 6561, (num_s3gen_tokens,), generator=generator),
            torch.randn(2 * num_s3gen_tokens, 80, generator=generator),
            torch.randn(192, generator=generator),
        ),
    )


def assert_same(left: Conditionals, right: Conditionals) -> None:
    assert left.voice == right.voice
    for part in ("t3", "s3gen"):
        ours, theirs = getattr(left, part), getattr(right, part)
        for field in ours.__dataclass_fields__:
            a, b = getattr(ours, field), getattr(theirs, field)
            assert a.dtype == b.dtype, field
            assert torch.equal(a, b), field
