"""Pages are promised before work starts, and every promise ends once."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.engine.t3.kv_budget import PAGE, PageBudget, Prefix, PrefixCache, PrefixKey, pages_of

SHORTEST = 34 + 1 + 4  # positions of the shortest english prompt; turbo's is longer


@pytest.mark.parametrize(
    ("num_positions", "num_rows", "num_pages"), [(0, 1, 0), (1, 1, 1), (16, 2, 2), (17, 2, 4)]
)
def test_a_page_is_sixteen_positions_of_one_row(num_positions, num_rows, num_pages):
    assert pages_of(num_positions, num_rows) == num_pages


@given(st.lists(st.tuples(st.integers(SHORTEST, 3000), st.integers(1, 2)), min_size=1))
def test_at_most_a_quarter_is_wasted_at_any_mix_of_lengths(mix):
    held = sum(pages_of(length, num_rows) * PAGE for length, num_rows in mix)
    assert sum(length * num_rows for length, num_rows in mix) >= 0.75 * held


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 40)), max_size=60),
    st.integers(0, 100),
)
def test_free_and_promised_pages_always_make_the_capacity(moves, capacity):
    budget, live = PageBudget(capacity), {}
    for comes, owner, num_pages in moves:
        if comes and owner not in live and budget.can_allocate(num_pages):
            budget.allocate(owner, num_pages)
            live[owner] = num_pages
        elif not comes and owner in live:
            budget.free(owner)
            del live[owner]
        budget.check_integrity()
        assert budget.num_free == capacity - sum(live.values())


def test_no_more_pages_are_promised_than_are_free():
    budget = PageBudget(10)
    budget.allocate("a", 7)
    assert budget.can_allocate(3)
    assert not budget.can_allocate(4)
    with pytest.raises(RuntimeError, match="4 pages"):
        budget.allocate("b", 4)
    with pytest.raises(RuntimeError, match="twice"):
        budget.allocate("a", 1)
    assert budget.num_free == 3


def test_nothing_is_freed_twice():
    budget = PageBudget(10)
    budget.allocate("a", 7)
    budget.free("a")
    with pytest.raises(KeyError):
        budget.free("a")
    assert budget.num_free == 10


def test_the_integrity_check_finds_a_lost_page():
    budget = PageBudget(10)
    budget.allocate("a", 7)
    budget._num_free -= 1
    with pytest.raises(RuntimeError, match="2 pages are free and 7 promised of 10"):
        budget.check_integrity()


# -- prefixes --------------------------------------------------------------------------------------


class Voices:
    """A prefix cache with prefixes by voice name. It records the forgotten ones."""

    def __init__(self, num_pages: int = 100, capacity: int = 2) -> None:
        self.budget = PageBudget(num_pages)
        self.forgotten: list[str] = []
        self.cache = PrefixCache(self.budget, capacity, self._forget)
        self._conditionals: dict[str, object] = {}

    def key(self, voice: str) -> PrefixKey:
        return PrefixKey(self._conditionals.setdefault(voice, object()), 0.5)

    def join(self, voice: str, num_positions: int = 34) -> Prefix | None:
        return self.cache.join(self.key(voice), num_positions)

    def join_ready(self, voice: str, num_positions: int = 34) -> Prefix:
        prefix = self.join(voice, num_positions)
        assert prefix is not None
        prefix.is_ready = True
        return prefix

    def prepare_anew(self, voice: str) -> None:
        del self._conditionals[voice]

    def _forget(self, prefix: Prefix) -> None:
        (voice,) = (v for v, c in self._conditionals.items() if c is prefix.key.conditionals)
        self.forgotten.append(voice)


def test_a_voice_shares_one_prefix_and_its_pages_are_promised_once():
    voices = Voices()
    first = voices.join("ann")
    assert voices.join("ann") is first
    assert voices.join("ben") is not first
    assert voices.budget.num_free == 100 - 2 * 3
    voices.cache.check_integrity(num_users=3)


def test_a_voice_that_was_prepared_anew_has_another_prefix():
    voices = Voices()
    first = voices.join("ann")
    voices.prepare_anew("ann")
    assert voices.join("ann") is not first


def test_the_least_recently_used_prefix_is_dropped_and_one_in_use_never():
    voices = Voices(capacity=2)
    for voice in ("ann", "ben"):
        voices.cache.leave(voices.join_ready(voice), "user")
    voices.cache.leave(voices.join_ready("ann"), "user")  # used again
    voices.join_ready("cas")
    assert voices.forgotten == ["ben"]
    voices.join_ready("dan")
    assert voices.forgotten == ["ben", "ann"]
    assert voices.join("eve") is None  # both prefixes are in use
    voices.cache.check_integrity(num_users=2)


def test_a_prefix_is_dropped_where_its_last_user_leaves_before_it_is_ready():
    voices = Voices()
    prefix = voices.join("ann")
    voices.cache.leave(prefix, "user")
    assert voices.forgotten == ["ann"]
    assert voices.budget.num_free == 100


def test_a_prefix_has_no_author_after_its_author_leaves():
    voices = Voices()
    prefix = voices.join("ann")
    assert voices.join("ann") is prefix
    prefix.author = "first"
    voices.cache.leave(prefix, "first")
    assert prefix.author is None
    assert voices.forgotten == []


def test_room_is_made_from_unused_prefixes_and_from_the_own_voice_last():
    voices = Voices(num_pages=10, capacity=3)
    for voice in ("ann", "ben", "cas"):
        voices.cache.leave(voices.join_ready(voice), "user")
    assert voices.budget.num_free == 1
    voices.cache.make_room(voices.key("ann"), 7)
    assert voices.forgotten == ["ben", "cas"]
    voices.cache.make_room(voices.key("ann"), 10)
    assert voices.forgotten == ["ben", "cas", "ann"]


def test_can_make_room_counts_unused_prefixes_and_drops_nothing():
    voices = Voices(num_pages=10, capacity=3)
    voices.join_ready("ann")
    voices.cache.leave(voices.join_ready("ben"), "user")
    assert voices.cache.can_make_room(7)
    assert not voices.cache.can_make_room(8)  # ann's three pages are in use
    assert voices.forgotten == []


def test_a_sequence_has_no_shared_prefix_where_there_is_no_room_for_one():
    voices = Voices(num_pages=10)
    voices.budget.allocate("sequence", 8)
    assert voices.join("ann") is None
    voices.cache.check_integrity(num_users=0)


@given(
    st.lists(st.tuples(st.sampled_from("jclr"), st.sampled_from("abcdef")), max_size=80),
    st.integers(0, 4),
    st.integers(0, 14),
)
@hypothesis_settings(deadline=None)
def test_users_and_pages_stay_counted_over_any_moves(moves, capacity, num_pages):
    voices, users = Voices(num_pages, capacity), []
    for move, voice in moves:
        if move == "j":
            users += [prefix] if (prefix := voices.join(voice)) is not None else []
        elif move == "c" and users:
            users[0].is_ready = True
        elif move == "l" and users:
            voices.cache.leave(users.pop(), voice)
        else:
            can_make_room = voices.cache.can_make_room(4)
            voices.cache.make_room(voices.key(voice), 4)
            assert can_make_room == voices.budget.can_allocate(4)
        voices.budget.check_integrity()
        voices.cache.check_integrity(len(users))
        assert voices.cache.num_pages == num_pages - voices.budget.num_free
        assert len({prefix.key for prefix in users}) <= capacity
