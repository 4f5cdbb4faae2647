"""Memory is promised before work starts, to the page, and every promise ends once."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.engine.t3.kv_budget import PAGE, PageBudget, Prefix, PrefixCache, PrefixKey, pages_of

SHORTEST = 34 + 1 + 4  # positions of the shortest english prompt; a real turbo one is longer


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
def test_free_and_promised_are_the_capacity_whatever_comes_and_goes(moves, capacity):
    pool, live = PageBudget(capacity), {}
    for comes, owner, num_pages in moves:
        if comes and owner not in live and pool.can_allocate(num_pages):
            pool.allocate(owner, num_pages)
            live[owner] = num_pages
        elif not comes and owner in live:
            pool.free(owner)
            del live[owner]
        pool.check_integrity()
        assert pool.num_free == capacity - sum(live.values())


def test_nothing_is_promised_that_is_not_there():
    pool = PageBudget(10)
    pool.allocate("a", 7)
    assert pool.can_allocate(3)
    assert not pool.can_allocate(4)
    with pytest.raises(RuntimeError, match="4 pages"):
        pool.allocate("b", 4)
    with pytest.raises(RuntimeError, match="twice"):
        pool.allocate("a", 1)
    assert pool.num_free == 3


def test_nothing_is_freed_twice():
    pool = PageBudget(10)
    pool.allocate("a", 7)
    pool.free("a")
    with pytest.raises(KeyError):
        pool.free("a")
    assert pool.num_free == 10


def test_the_integrity_check_sees_a_page_that_is_lost():
    pool = PageBudget(10)
    pool.allocate("a", 7)
    pool._num_free -= 1
    with pytest.raises(RuntimeError, match="2 pages are free and 7 promised of 10"):
        pool.check_integrity()


# -- prefixes --------------------------------------------------------------------------------------


class Shelf:
    """A shelf, and what it forgot."""

    def __init__(self, num_pages: int = 100, most: int = 2) -> None:
        self.pool = PageBudget(num_pages)
        self.forgotten: list[str] = []
        self.shelf = PrefixCache(self.pool, most, lambda gone: self.forgotten.append(gone.key[0]))
        self.conditionals: dict[str, object] = {}

    def key(self, voice: str) -> PrefixKey:
        return PrefixKey(voice, 0.5, id(self.conditionals.setdefault(voice, object())))

    def join(self, voice: str, num_positions: int = 34) -> Prefix | None:
        return self.shelf.join(self.key(voice), self.conditionals.get(voice), num_positions)

    def computed(self, voice: str, num_positions: int = 34) -> Prefix:
        prefix = self.join(voice, num_positions)
        assert prefix is not None
        prefix.is_ready = True
        return prefix


def test_a_voice_shares_one_prefix_and_its_pages_are_promised_once():
    desk = Shelf()
    first = desk.join("ann")
    assert desk.join("ann") is first
    assert desk.join("ben") is not first
    assert desk.pool.num_free == 100 - 2 * 3
    desk.shelf.check_integrity(users=3)


def test_a_voice_that_was_prepared_anew_has_another_prefix():
    desk = Shelf()
    first = desk.join("ann")
    desk.conditionals.clear()
    kept = object()
    assert desk.shelf.join(PrefixKey("ann", 0.5, id(kept)), kept, 34) is not first


def test_the_least_recently_used_goes_and_one_in_use_never():
    desk = Shelf(most=2)
    for voice in ("ann", "ben"):
        desk.shelf.leave(desk.computed(voice), "user")
    desk.shelf.leave(desk.computed("ann"), "user")  # used again
    desk.computed("cas")
    assert desk.forgotten == ["ben"]
    desk.computed("dan")
    assert desk.forgotten == ["ben", "ann"]
    assert desk.join("eve") is None  # two are in use, and no more are kept
    desk.shelf.check_integrity(users=2)


def test_a_prefix_that_nobody_computed_does_not_stay():
    desk = Shelf()
    prefix = desk.join("ann")
    desk.shelf.leave(prefix, "user")
    assert desk.forgotten == ["ann"]
    assert desk.pool.num_free == 100


def test_an_author_that_leaves_makes_room_for_another():
    desk = Shelf()
    prefix = desk.join("ann")
    assert desk.join("ann") is prefix
    prefix.author = "first"
    desk.shelf.leave(prefix, "first")
    assert prefix.author is None
    assert desk.forgotten == []


def test_room_is_made_from_what_is_unused_and_its_own_voice_last():
    desk = Shelf(num_pages=10, most=3)
    for voice in ("ann", "ben", "cas"):
        desk.shelf.leave(desk.computed(voice), "user")
    assert desk.pool.num_free == 1
    desk.shelf.make_room(desk.key("ann"), 7)
    assert desk.forgotten == ["ben", "cas"]
    desk.shelf.make_room(desk.key("ann"), 10)
    assert desk.forgotten == ["ben", "cas", "ann"]


def test_nothing_is_dropped_where_that_would_not_suffice():
    desk = Shelf(num_pages=10, most=3)
    desk.computed("ann")
    desk.shelf.leave(desk.computed("ben"), "user")
    assert desk.shelf.can_make_room(7)
    assert not desk.shelf.can_make_room(8)  # ann's three pages are in use
    assert desk.forgotten == []


def test_no_room_for_a_prefix_is_no_reason_to_wait():
    desk = Shelf(num_pages=10)
    desk.pool.allocate("sequence", 8)
    assert desk.join("ann") is None
    desk.shelf.check_integrity(users=0)


@given(
    st.lists(st.tuples(st.sampled_from("jclr"), st.sampled_from("abcdef")), max_size=80),
    st.integers(0, 4),
    st.integers(0, 14),
)
@hypothesis_settings(deadline=None)
def test_users_and_pages_are_counted_whatever_happens(moves, most, num_pages):
    desk, users = Shelf(num_pages, most), []
    for move, voice in moves:
        if move == "j":
            users += [prefix] if (prefix := desk.join(voice)) is not None else []
        elif move == "c" and users:
            users[0].is_ready = True
        elif move == "l" and users:
            desk.shelf.leave(users.pop(), voice)
        else:
            can_make_room = desk.shelf.can_make_room(4)
            desk.shelf.make_room(desk.key(voice), 4)
            assert can_make_room == desk.pool.can_allocate(4)
        desk.pool.check_integrity()
        desk.shelf.check_integrity(len(users))
        assert desk.shelf.num_pages == num_pages - desk.pool.num_free
        assert len({prefix.key for prefix in users}) <= most
