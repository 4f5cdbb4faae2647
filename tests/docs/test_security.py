"""docs/security.md agrees with the code."""

import re
from pathlib import Path

from app.auth.request_limiter import BOUNDS, BURST_S
from app.config import Limits
from app.key_settings import AdmissionSettings
from deployments.app import INGRESS_ONGOING

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
ROWS = {
    "requests in flight": "requests",
    "bodies that are being read": "bodies",
    "bytes of the bodies of requests in flight": "body_bytes",
    "sockets": "sockets",
    "cancels": "cancels",
    "reports of sessions": "reports",
}
MIB = 1024**2


def numbers(text):
    found = [int(each.replace(",", "")) for each in re.findall(r"\d[\d,]*", text)]
    return [number * MIB for number in found] if "MiB" in text else found


def test_the_table_of_rooms_has_the_defaults():
    settings = AdmissionSettings()
    for title, room in ROWS.items():
        (row,) = re.findall(rf"^\| {title}[^|]*\|(.*)\|$", PAGE, re.MULTILINE)
        of_one, of_all, in_a_second = (numbers(cell) for cell in row.split("|"))
        bound = next(bound for each, bound in BOUNDS.items() if each == room)
        assert of_one == [getattr(settings, bound.per_key)]
        assert of_all == [getattr(settings, bound.in_all)]
        assert in_a_second == ([getattr(settings, bound.rate)] if bound.rate else [])


def test_one_key_fills_no_room_and_all_rooms_stay_far_below_serves_bound():
    settings = AdmissionSettings()
    for room in ROWS.values():
        bound = next(bound for each, bound in BOUNDS.items() if each == room)
        assert 2 * getattr(settings, bound.per_key) <= getattr(settings, bound.in_all)
    rooms = {bound.in_all for bound in BOUNDS.values() if "bytes" not in bound.in_all}
    assert 10 * sum(getattr(settings, name) for name in rooms) < INGRESS_ONGOING


def test_the_numbers_of_the_text_are_the_codes():
    limits = Limits()
    assert f"`limits.body_bytes_per_s` ({limits.body_bytes_per_s:,.0f})" in PAGE
    assert f"`limits.body_s` ({limits.body_s:g} s)" in PAGE
    assert f"`max_ongoing_requests`, {INGRESS_ONGOING:,}" in PAGE
    assert BURST_S == 4
    assert "in four seconds" in PAGE
