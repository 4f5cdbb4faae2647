"""A path follows a head through the text, the same on both runners, and changes no token."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from app.core import FinishReason, SamplingParams, SpeechTokens
from app.engine.checkpoint.text_origins import WordIds
from app.engine.t3 import device_paths, text_paths
from app.engine.t3.alignment_heads import NO_HEADS, AlignmentHeads, Head
from app.engine.t3.engine import TokenEngine
from app.engine.t3.scheduled_chunk import ScheduledChunk
from app.engine.t3.sequence import Sequence, SequenceRequest
from app.engine.t3.text_paths import BEFORE_TEXT, MAX_ADVANCE, HeardHeads, TextPaths, text_keys_of
from app.t3_settings import GuardSettings
from app.word_marks import WordMark
from tests.support.engine.t3.lone_scheduler import UNGUARDED
from tests.support.engine.t3.mixes import KINDS
from tests.support.engine.t3.models import SPECS, our_t3, request, send, settings, upstream_t3

HEADS = AlignmentHeads((Head(0, 1), Head(1, 0)), offset_ms=60.0)
WORDS = tuple(WordIds(first, first + 2) for first in range(0, 12, 3))  # of twelve text ids
FORCED = SamplingParams(max_tokens=20, ignore_eos=True)


@pytest.fixture
def no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The heads of random weights look at no id in particular: that would count as silence."""
    for module in (text_paths, device_paths):
        monkeypatch.setattr(module, "SILENCE", -1e4)


def engine(family: str, heads: AlignmentHeads, *, fast: bool, slots: int = 8) -> TokenEngine:
    model = our_t3(upstream_t3(SPECS[family]), SPECS[family])
    return TokenEngine(model, settings(slots=slots), heads=heads, fast=fast)


def mix() -> list[SequenceRequest]:
    """Pairs and single rows, texts of several lengths, several segments of a session."""
    return [
        replace(
            request(n, replace(kind, max_tokens=12 + n, seed=n), voice=n + 1, num_text=12 + n),
            words=WORDS,
        )
        for n, kind in enumerate(KINDS)
    ]


def run(tokens: TokenEngine, requests: list[SequenceRequest]) -> list[SpeechTokens]:
    send(tokens, *requests)
    groups = []
    while tokens.has_work():
        groups += tokens.step()
        tokens.check_integrity()
    return groups


def ids_of(groups: list[SpeechTokens]) -> dict[str, list[int]]:
    ids: dict[str, list[int]] = {}
    for group in groups:
        ids.setdefault(group.key.session_id, []).extend(group.ids)
    return ids


def marks_of(groups: list[SpeechTokens]) -> dict[str, list[WordMark]]:
    marks: dict[str, dict[int, WordMark]] = {}
    for group in groups:
        marks.setdefault(group.key.session_id, {}).update((m.word, m) for m in group.words)
    return {session: list(newest.values()) for session, newest in marks.items()}


# -- the engine ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_silence")
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("family", SPECS)
def test_following_the_words_changes_no_token(family: str, fast: bool) -> None:
    without = run(engine(family, NO_HEADS, fast=fast), mix())
    with_words = run(engine(family, HEADS, fast=fast), mix())
    assert ids_of(with_words) == ids_of(without)
    assert [group.finish for group in with_words] == [group.finish for group in without]
    assert not any(group.words for group in without)


@pytest.mark.usefixtures("no_silence")
@pytest.mark.parametrize("slots", [2, 8])
@pytest.mark.parametrize("family", SPECS)
def test_both_runners_tell_the_same_of_the_words(family: str, slots: int) -> None:
    """With two slots each slot has several owners."""
    plain = marks_of(run(engine(family, HEADS, fast=False, slots=slots), mix()))
    fast = marks_of(run(engine(family, HEADS, fast=True, slots=slots), mix()))
    assert plain == fast
    assert sum(map(len, plain.values())) > 4


@pytest.mark.usefixtures("no_silence")
@pytest.mark.parametrize("fast", [False, True])
def test_a_prompt_in_parts_gives_the_words_of_a_whole_one(fast: bool) -> None:
    model = our_t3(upstream_t3(SPECS["english"]), SPECS["english"])
    in_parts = settings(slots=8, prefill_tokens=8)
    parts = run(TokenEngine(model, in_parts, heads=HEADS, fast=fast), mix())
    whole = run(engine("english", HEADS, fast=fast), mix())
    assert marks_of(parts) == marks_of(whole)


@pytest.mark.usefixtures("no_silence")
@pytest.mark.parametrize("fast", [False, True])
def test_marks_come_in_order_and_are_ended_with_the_segment(fast: bool) -> None:
    (groups,) = [run(engine("english", HEADS, fast=fast), [mix()[0]])]
    marks = marks_of(groups)[groups[0].key.session_id]
    assert [mark.word for mark in marks] == list(range(len(marks)))
    num_tokens = sum(len(group.ids) for group in groups)
    at = 0.0
    for mark in marks:
        assert mark.end_token is not None
        assert at <= mark.start_token <= mark.end_token <= num_tokens
        at = mark.end_token
    assert groups[-1].finish is FinishReason.LENGTH


def test_a_sequence_without_words_gets_no_marks() -> None:
    groups = run(engine("english", HEADS, fast=False), [request("a", FORCED)])
    assert not any(group.words for group in groups)


BABBLED = GuardSettings(**{**UNGUARDED.model_dump(), "fallen_tokens": 1, "still_tokens": 10})


@pytest.mark.usefixtures("no_silence")
@pytest.mark.parametrize("fast", [False, True])
def test_a_segment_that_does_not_follow_its_text_ends_with_babble(fast: bool) -> None:
    """The heads of random weights follow nothing."""
    model = our_t3(upstream_t3(SPECS["english"]), SPECS["english"])
    tokens = TokenEngine(model, settings(slots=8, guards=BABBLED), heads=HEADS, fast=fast)
    sampling = SamplingParams(max_tokens=200, seed=3)
    one = replace(request("a", sampling), words=WORDS)
    forced = replace(request("b", replace(sampling, max_tokens=40, ignore_eos=True)), words=WORDS)
    finishes = {g.key.session_id: g.finish for g in run(tokens, [one, forced]) if g.finish}
    assert finishes == {"session-a": FinishReason.BABBLE, "session-b": FinishReason.LENGTH}
    assert tokens.counts.num_babbles == 1
    tokens.check_integrity()


# -- one path --------------------------------------------------------------------------------------


def chunk(start: int, num_tokens: int, *, text_start: int = 0, num_text: int = 6) -> ScheduledChunk:
    sequence = Sequence(
        request("a", FORCED, num_text=num_text), 1, num_prompt=20, text_start=text_start
    )
    return ScheduledChunk(sequence, 0, start, num_tokens, samples=False)


def heard(*looks: Tensor) -> HeardHeads:
    """Queries and keys of head 0 in layer 0, one token each."""
    one = HeardHeads(lambda layer, qkv: qkv, (Head(0, 0),))
    one(0, torch.stack([torch.stack((look, look, look)) for look in looks])[:, :, None])
    return one


def paths(num_text: int = 6) -> TextPaths:
    """Text id n has the key of dimension n."""
    found = TextPaths((Head(0, 0),), num_text)
    found.keep_keys(heard(*torch.eye(num_text)), chunk(0, num_text, num_text=num_text), 0)
    return found


def follow(own: TextPaths, looks_at: list[int | None], num_text: int = 6) -> list[int]:
    """A head that looks hard at these ids, or None: at all alike."""
    eye = 30.0 * torch.eye(num_text)
    looks = [torch.zeros(num_text) if at is None else eye[at] for at in looks_at]
    return [own.follow(heard(look), [0], [0])[0] for look in looks]


def test_a_path_follows_the_head() -> None:
    assert follow(paths(), [0, 0, 1, 2, 2, 4]) == [0, 0, 1, 2, 2, 4]


def test_a_head_that_looks_at_no_id_in_particular_tells_of_silence() -> None:
    assert follow(paths(), [None, None, 0, 1]) == [BEFORE_TEXT, BEFORE_TEXT, 0, 1]


def test_a_look_ahead_does_not_tear_the_path_away() -> None:
    assert follow(paths(24), [0, 1, 23, 2, 3], 24)[-2:] == [2, 3]


@pytest.mark.usefixtures("no_silence")
def test_a_path_goes_on_by_a_few_ids_at_most() -> None:
    ends = follow(paths(24), [0, *[20] * 10], 24)
    assert all(b - a <= MAX_ADVANCE for a, b in itertools.pairwise(ends) if b < 20)
    assert ends[-1] == 20


def test_a_path_begins_again_with_the_next_owner_of_its_slot() -> None:
    own = paths()
    follow(own, [0, 2, 4, 5])
    own.release(0)
    own.keep_keys(heard(*torch.eye(6)), chunk(0, 6), 0)
    assert follow(own, [0, 1]) == [0, 1]


@pytest.mark.parametrize(
    ("start", "num_tokens", "rows", "ids"),
    [
        (0, 20, slice(7, 13), slice(0, 6)),
        (0, 9, slice(7, 9), slice(0, 2)),
        (9, 4, slice(0, 4), slice(2, 6)),
        (8, 9, slice(0, 5), slice(1, 6)),
    ],
)
def test_the_text_is_found_in_every_part_of_a_prompt(
    start: int, num_tokens: int, rows: slice, ids: slice
) -> None:
    found = text_keys_of(chunk(start, num_tokens, text_start=7), 0)
    assert found is not None
    assert (found.rows, found.ids) == (rows, ids)
    later = text_keys_of(chunk(start, num_tokens, text_start=7), 100)
    assert later is not None
    assert later.rows == slice(100 + rows.start, 100 + rows.stop)


@pytest.mark.parametrize(("start", "num_tokens"), [(0, 7), (13, 7)])
def test_a_part_of_a_prompt_may_have_no_text(start: int, num_tokens: int) -> None:
    assert text_keys_of(chunk(start, num_tokens, text_start=7), 0) is None
