import torch
from chatterbox.models.s3gen.transformer.attention import RelPositionMultiHeadedAttention
from chatterbox.models.s3gen.transformer.embedding import EspnetRelPositionalEncoding

from app.engine.s3gen.encoder import relative_positions, skew


def test_relative_positions_equal_upstreams_table():
    upstream = EspnetRelPositionalEncoding(64, 0.0, 300).pe
    assert torch.equal(relative_positions(64, 300), upstream[0])


def test_skew_equals_upstreams_shift():
    scores = torch.randn(2, 3, 7, 13)
    attention = RelPositionMultiHeadedAttention(3, 12, 0.0)
    assert torch.equal(skew(scores), attention.rel_shift(scores))


def test_skew_counts_the_distance_to_cached_keys():
    """The distance of query i, at position 4 + i, to key j is 4 + i - j."""
    distances = torch.arange(5, -3, -1.0).expand(2, 8)  # 6 keys, 2 queries: 5 .. -1
    assert skew(distances[None, None, :, :7]).tolist() == [
        [[[4.0, 3.0, 2.0, 1.0, 0.0, -1.0], [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]]]
    ]
