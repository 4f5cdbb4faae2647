"""The verdict on a round of chaos. Each test but the first is a positive control: a server that
does one thing wrong must fail."""

from dataclasses import replace

import pytest

from loadtests.chaos_verdict import (
    LATE,
    NO_ANSWER,
    OK,
    TOLD_WITHIN_S,
    Harm,
    Heard,
    Look,
    Round,
    broken_rules,
    row_of,
)
from loadtests.records import Kind, Outcome
from tests.support.loadtests.benches import GOOD

AT_S = 100.0  # of the fault


def looks(*statuses: str) -> list[Look]:
    """One a second, from the fault on."""
    return [Look(AT_S + n, AT_S + n + 0.1, status) for n, status in enumerate(statuses)]


FINE = Round(
    fault="hogs",
    harm=Harm.NONE,
    silences=False,
    bound_s=10.0,
    inflicted_s=AT_S,
    undone_s=AT_S + 6.0,
    back_s=AT_S + 8.0,
    heard=[Heard(GOOD, 0)] * 3,
    looks=looks(*[OK] * 10),
)


def ended(outcome: Outcome, detail: str = "", **changed: object) -> list[Heard]:
    return [Heard(GOOD, 0), Heard(replace(GOOD, outcome=outcome, detail=detail, **changed), None)]


def rules_of(**changed: object) -> list[str]:
    return list(broken_rules(replace(FINE, **changed)))


def test_a_good_round_breaks_no_rule():
    assert rules_of() == []
    row = row_of(FINE)
    assert (row.sessions, row.ended_well, row.back_after_s, row.left_behind) == (3, 3, 2.0, 0)
    assert row.broken_rules == ()


@pytest.mark.parametrize("harm", Harm)
@pytest.mark.parametrize(
    ("outcome", "detail"),
    [
        (Outcome.UNANSWERED, "ReadTimeout"),
        (Outcome.UNANSWERED, "sent 1011 keepalive ping timeout; no close frame received"),
        (Outcome.UNACKNOWLEDGED, "cancel: ReadTimeout"),
        (Outcome.TRUNCATED, "1.000 s of 2.000 s arrived"),
        (Outcome.UNSTOPPED, ""),
    ],
)
def test_a_silent_end_is_found_whatever_the_fault_may_do(harm, outcome, detail):
    (rule,) = rules_of(harm=harm, heard=ended(outcome, detail))
    assert rule.startswith("silent end: turn a (conversation 1)")


@pytest.mark.parametrize(
    ("outcome", "least_harm"),
    [
        (Outcome.REFUSED, Harm.NONE),
        (Outcome.CANCELLED, Harm.NONE),
        (Outcome.LEFT, Harm.NONE),
        (Outcome.FAILED, Harm.REFUSES),
        (Outcome.UNACKNOWLEDGED, Harm.REFUSES),
        (Outcome.UNANSWERED, Harm.REFUSES),  # nothing listened
        (Outcome.BROKEN, Harm.ENDS),
    ],
)
def test_an_end_is_allowed_to_those_whom_the_fault_may_hit(outcome, least_harm):
    heard = ended(outcome, "ConnectError: refused" if outcome is Outcome.UNANSWERED else "")
    for harm in Harm:
        found = rules_of(harm=harm, heard=heard)
        assert bool(found) == (harm < least_harm), harm
        assert all(rule.startswith("hit a bystander: ") for rule in found)


def test_an_upload_may_be_refused_in_every_round_but_must_be_answered():
    assert rules_of(heard=ended(Outcome.FAILED, "storage_full", kind=Kind.ENROL)) == []
    (rule,) = rules_of(heard=ended(Outcome.UNANSWERED, "ReadTimeout", kind=Kind.ENROL))
    assert rule.startswith("silent end: enrol")


@pytest.mark.parametrize(("by", "num_found"), [(None, 0), (0, 0), (1, 1)])
def test_other_sound_is_found(by, num_found):
    found = rules_of(heard=[Heard(GOOD, by)], harm=Harm.ENDS)
    assert len(found) == num_found
    assert all(rule.startswith("other sound: ") for rule in found)


def test_a_held_slot_is_found():
    assert rules_of(left=["t3: 1 of 16 slots"]) == ["left behind: t3: 1 of 16 slots"]
    assert row_of(replace(FINE, left=["t3: 1 of 16 slots"])).left_behind == 1


def test_what_the_fault_itself_saw_is_told():
    assert rules_of(wrong=["partial file: a"]) == ["partial file: a"]


@pytest.mark.parametrize(
    ("back_s", "told"),
    [(AT_S + 16.1, "after 10.1 s"), (None, "never")],
)
def test_a_late_recovery_is_found(back_s, told):
    (rule,) = rules_of(back_s=back_s)
    assert rule == f"service came back {told}; the bound is 10 s"
    assert rules_of(back_s=AT_S + 16.0) == []


def test_a_health_that_says_ok_while_nothing_can_be_spoken_is_found():
    late = looks(*[OK] * 6, "starting")  # the sixth is asked after 5 s
    (rule,) = rules_of(harm=Harm.ENDS, silences=True, looks=late)
    assert rule.startswith(f"/health said ok for {TOLD_WITHIN_S:g} s")
    for told in ("starting", LATE, NO_ANSWER):
        assert rules_of(harm=Harm.ENDS, silences=True, looks=looks(*[OK] * 5, told)) == []


def test_a_health_that_says_ok_to_a_silent_listener_is_found():
    silent = [Heard(replace(GOOD, longest_stall_ms=5100.0), 0)]
    (rule,) = rules_of(heard=silent)
    assert rule.endswith("a listener heard nothing for 5.1 s")
    assert rules_of(heard=silent, looks=looks(OK, LATE, OK)) == []


def test_a_health_without_an_answer_is_found_where_the_fault_hits_nobody():
    silent = looks(OK, *[NO_ANSWER] * 6, OK)
    (rule,) = rules_of(looks=silent)
    assert rule == "/health had no answer for 7.0 s"
    assert rules_of(looks=silent, harm=Harm.REFUSES) == []
    assert rules_of(looks=looks(OK, NO_ANSWER, OK)) == []
    assert rules_of(looks=[]) == ["/health was never asked"]
