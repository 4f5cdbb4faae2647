"""The model's state after the stages that run were seen."""

import pytest

from app.sessions.model_state import ModelState

LOADED, UNLOADING, UNLOADED = ModelState
BOTH = ("ingress", "t3", "vocoder")


@pytest.mark.parametrize(
    ("state", "running", "then"),
    [
        (LOADED, BOTH, LOADED),
        (LOADED, (), LOADED),  # its replicas are being replaced
        (UNLOADING, BOTH, UNLOADING),
        (UNLOADING, ("ingress", "t3"), UNLOADING),
        (UNLOADING, ("ingress",), UNLOADED),
        (UNLOADED, (), UNLOADED),
        (UNLOADED, ("ingress", "t3"), UNLOADED),
        (UNLOADED, BOTH, LOADED),  # deployed again
    ],
)
def test_the_state_follows_the_engines_that_run(state, running, then):
    assert state.seen(running) is then
