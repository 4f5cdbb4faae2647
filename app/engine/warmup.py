"""A replica's first synthesis, whose result is dropped.

Libraries load and plan in their first call. A replica that is warm before it is ready makes no
session wait for that: a replica that is added under load relieves the others at once. Knows nothing
about voices or models.
"""

from collections.abc import Sequence
from typing import TypeVar

from app.core import SessionKey
from app.engine.loop import Engine
from app.engine.stream import Item

WARMUP_KEY = SessionKey("", "warmup")  # no caller's session: a caller's tenant has a name

MessageT = TypeVar("MessageT")
ItemT = TypeVar("ItemT", bound=Item)


def warm_up(engine: Engine[MessageT, ItemT], messages: Sequence[MessageT]) -> None:
    """Call before the engine's loop starts."""
    for message in messages:
        engine.receive(message)
    while engine.has_work():
        engine.step()
