"""What every test has in common."""

import pytest
from hypothesis import settings

from app.voices import decoder

# No deadline: a busy machine is no counterexample. `make test` draws the same examples each time:
# it judges the change that it tests. `make test-long` draws others, and more of them.
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None, max_examples=1000)
settings.load_profile("fixed")

pytest_plugins = ["tests.support.budgets"]


@pytest.fixture(autouse=True)
def _decoding_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no reason to refuse a recording here."""
    monkeypatch.setattr(decoder, "WITHIN_S", 600.0)
