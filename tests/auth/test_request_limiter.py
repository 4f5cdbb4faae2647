"""The door's policy: what a key may hold open, what all may, and how often a key may ask."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from app.auth.request_limiter import BOUNDS, BURST_S, RequestLimiter, Room
from app.errors import Overloaded, RateLimited, ServeError
from app.key_settings import AdmissionSettings
from tests.support.clock import Clock

KEYS = ("red", "blue", "green")
SMALL = AdmissionSettings(
    max_requests=6,
    max_requests_per_key=4,
    max_bodies=4,
    max_bodies_per_key=2,
    max_body_bytes=5,
    max_body_bytes_per_key=3,
    max_sockets=5,
    max_sockets_per_key=3,
    max_control=4,
    max_control_per_key=2,
    requests_per_s=2.0,
    control_per_s=5.0,
)
ROOMS = st.sampled_from(Room)
WITHOUT_KEY = (Room.HEALTH, Room.PAGE)


def refused(limiter, room, key):
    """The refusal of a caller who wants to enter; None where the caller has entered."""
    try:
        limiter.enter(room, key)
    except ServeError as refusal:
        return refusal
    return None


class Door(RuleBasedStateMachine):
    """Any order of entering, leaving and waiting."""

    places = Bundle("places")

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.limiter = RequestLimiter(SMALL, self.clock)
        self.held = []
        self.entered = []  # (time, room, key)

    def in_all(self, room):
        return sum(each[0] is room for each in self.held)

    @rule(target=places, room=ROOMS, key=st.sampled_from(KEYS))
    def enter(self, room, key):
        has_place = self.held.count((room, key)) < getattr(SMALL, BOUNDS[room].per_key)
        has_room = self.in_all(room) < getattr(SMALL, BOUNDS[room].in_all)
        refusal = refused(self.limiter, room, key)
        if isinstance(refusal, RateLimited):
            assert refusal.status == 429
            assert refusal.retry_after_s >= 1
            assert not has_place or refusal.code == "too_many_requests"
            return None
        if isinstance(refusal, Overloaded):
            assert (refusal.status, refusal.code) == (503, "server_full")
        assert has_place
        assert has_room is (refusal is None)
        if refusal is not None:
            return None
        self.limiter.charge(room, key)
        self.held.append((room, key))
        self.entered.append((self.clock.now, room, key))
        return room, key

    @rule(place=consumes(places))
    def leave(self, place):
        if place is not None:
            self.limiter.leave(*place)
            self.held.remove(place)

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds):
        self.clock.now += seconds

    @invariant()
    def the_bounds_hold(self):
        for room in Room:
            assert self.limiter.num_held(room) == self.in_all(room)
            assert self.in_all(room) <= getattr(SMALL, BOUNDS[room].in_all)
            for key in KEYS:
                assert self.held.count((room, key)) <= getattr(SMALL, BOUNDS[room].per_key)

    @invariant()
    def the_rate_holds(self):
        for room in Room:
            if BOUNDS[room].rate is None:
                continue
            rate = getattr(SMALL, BOUNDS[room].rate)
            for key in KEYS:
                times = [at_s for at_s, *of in self.entered if of == [room, key]]
                span_s = self.clock.now - times[0] if times else 0.0
                assert len(times) <= rate * (span_s + BURST_S) + 1e-6


Door.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestDoor = Door.TestCase


def limiter(**changes):
    clock = Clock()
    return RequestLimiter(AdmissionSettings(**changes), clock), clock


def fill(limiter, room, key):
    """Enters until the key is refused."""
    for _ in range(100_000):
        if (refusal := refused(limiter, room, key)) is not None:
            return refusal
        limiter.charge(room, key)
    raise AssertionError(f"{room} of {key} is never full")


@pytest.mark.parametrize("room", [Room.CANCELS, Room.REPORTS, *WITHOUT_KEY])
def test_control_has_places_that_no_other_room_takes(room):
    door, _ = limiter(max_body_bytes=40, max_body_bytes_per_key=10)
    for other in set(Room) - {room}:
        for key in ("red", "blue", "green", "grey", ""):
            fill(door, other, key)
    door.enter(room, "red")
    door.enter(room, "white")


@pytest.mark.parametrize("room", Room)
def test_one_key_never_takes_the_places_of_another(room):
    if room in WITHOUT_KEY:
        return  # its callers have no key
    door, _ = limiter(requests_per_s=None, control_per_s=None, max_body_bytes_per_key=100)
    assert fill(door, room, "red").status == 429
    for _ in range(64):
        door.enter(room, "blue")


@pytest.mark.parametrize("room", Room)
def test_a_full_room_is_a_503_that_names_its_setting(room):
    bytes_too = {"max_body_bytes": 20, "max_body_bytes_per_key": 10}
    door, _ = limiter(requests_per_s=None, control_per_s=None, **bytes_too)
    refusals = [fill(door, room, f"key-{number}") for number in range(20)]
    if room not in WITHOUT_KEY:
        assert refusals[0].status == 429
        assert refusals[0].param == f"admission.{BOUNDS[room].per_key}"
        assert (refusals[-1].status, refusals[-1].code) == (503, "server_full")
        assert refusals[-1].param == f"admission.{BOUNDS[room].in_all}"
    assert refusals[-1].param in refusals[-1].message


def test_what_does_not_fit_takes_nothing():
    door, _ = limiter(max_body_bytes_per_key=100, max_body_bytes=150)
    door.enter(Room.BODY_BYTES, "red", 60)
    with pytest.raises(RateLimited) as refused:
        door.enter(Room.BODY_BYTES, "red", 41)
    assert refused.value.code == "too_many_body_bytes"
    door.enter(Room.BODY_BYTES, "red", 40)
    with pytest.raises(Overloaded):
        door.enter(Room.BODY_BYTES, "blue", 51)
    door.leave(Room.BODY_BYTES, "red", 60)
    door.enter(Room.BODY_BYTES, "blue", 51)
    assert door.num_held(Room.BODY_BYTES) == 91


def test_a_quota_of_sockets_replaces_the_settings():
    door, _ = limiter(max_sockets_per_key=1)
    for _ in range(3):
        door.enter(Room.SOCKETS, "red", own_limit=3)
    with pytest.raises(RateLimited) as refused:
        door.enter(Room.SOCKETS, "red", own_limit=3)
    assert (refused.value.param, refused.value.code) == ("max_sockets", "too_many_sockets")
    door.leave(Room.SOCKETS, "red")
    door.enter(Room.SOCKETS, "red", own_limit=3)


@given(st.lists(st.floats(0.02, 5), max_size=300))
def test_a_caller_within_its_rate_is_never_refused(gaps):
    door, clock = limiter(requests_per_s=50)
    for gap_s in gaps:
        clock.now += gap_s
        door.enter(Room.REQUESTS, "red")
        door.charge(Room.REQUESTS, "red")
        door.leave(Room.REQUESTS, "red")


@given(st.floats(0.1, 500), st.integers(1, 50))
def test_the_time_to_try_again_is_long_enough(rate, num_asked):
    door, clock = limiter(requests_per_s=rate)
    for _ in range(num_asked):
        if (refusal := refused(door, Room.REQUESTS, "red")) is not None:
            assert refusal.param == "admission.requests_per_s"
            clock.now += refusal.retry_after_s
            door.enter(Room.REQUESTS, "red")
        door.charge(Room.REQUESTS, "red")


def test_a_flood_is_refused_and_its_rest_has_the_rate():
    door, clock = limiter()
    num_entered = 0
    for _ in range(131 * 60):  # as many in a second were seen to silence every stream
        clock.now += 1 / 131
        if refused(door, Room.REQUESTS, "red") is None:
            door.charge(Room.REQUESTS, "red")
            door.leave(Room.REQUESTS, "red")
            num_entered += 1
    assert num_entered <= 30 * (60 + BURST_S) + 1
    door.enter(Room.REQUESTS, "blue")
    door.enter(Room.CANCELS, "red")


def test_requests_that_are_not_charged_are_as_many_as_have_places():
    door, _ = limiter()
    for _ in range(512):
        door.enter(Room.REQUESTS, "red")
    assert refused(door, Room.REQUESTS, "red").code == "too_many_open_requests"


def test_charges_after_the_fact_count_as_any():
    """Requests in flight are charged together once they are refused."""
    door, clock = limiter(requests_per_s=10)
    for _ in range(100):
        door.enter(Room.REQUESTS, "red")
    for _ in range(100):
        door.charge(Room.REQUESTS, "red")
        door.leave(Room.REQUESTS, "red")
    refusal = refused(door, Room.REQUESTS, "red")
    assert (refusal.code, refusal.retry_after_s) == ("too_many_requests", 7)
    clock.now += 7
    door.enter(Room.REQUESTS, "red")


def test_64_agents_of_one_key_open_their_sockets_at_once():
    door, _ = limiter()
    for room in (Room.SOCKETS, Room.REQUESTS, Room.CANCELS):
        for _ in range(64):
            door.enter(room, "red")
            door.charge(room, "red")
