import torch
from chatterbox.models.s3gen.transformer.attention import RelPositionMultiHeadedAttention
from chatterbox.models.s3gen.transformer.embedding import EspnetRelPositionalEncoding

from app.engine.s3gen.encoder import _skew, relative_positions


def test_positions_are_upstreams():
    upstream = EspnetRelPositionalEncoding(64, 0.0, 300).pe
    assert torch.equal(relative_positions(64, 300), upstream[0])


def test_scores_by_distance_become_scores_by_key():
    scores = torch.randn(2, 3, 7, 13)
    attention = RelPositionMultiHeadedAttention(3, 12, 0.0)
    assert torch.equal(_skew(scores), attention.rel_shift(scores))


def test_keys_before_the_first_query_are_further_away():
    """Query i, at position 4 + i, is 4 + i - j away from key j."""
    distances = torch.arange(5, -3, -1.0).expand(2, 8)  # of 6 keys and 2 queries: 5 .. -1
    assert _skew(distances[None, None, :, :7]).tolist() == [
        [[[4.0, 3.0, 2.0, 1.0, 0.0, -1.0], [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]]]
    ]
