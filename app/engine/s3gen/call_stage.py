"""The stages of one vocoder call, and how to leave the call between two of them."""

from collections.abc import Callable
from enum import StrEnum


class CallStage(StrEnum):
    FLOW = "flow"  # one Euler step
    HIFT = "hift"
    WATERMARK = "watermark"


OnStage = Callable[[CallStage], None]  # called before each stage; an exception leaves the call


class Abandoned(Exception):
    """Raised by an `OnStage`: every cell of the call is about to be cancelled."""


def ignore_stage(stage: CallStage) -> None:
    """The default `OnStage`."""
