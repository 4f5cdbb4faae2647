"""All vocoder replicas have the same cells, whichever of them starts, and when."""

import asyncio
from functools import partial
from types import SimpleNamespace

import pytest

from app.config import ServeArgs, VocoderSettings
from app.core import Cost
from app.errors import Unavailable
from app.sessions.cell_agreement import Cells
from app.sessions.registry import Registry
from deployments import shared_cells
from deployments.shared_cells import SharedCells

STEP = Cost(0.01, 0.0)
ARGS = ServeArgs()
FIXED = ServeArgs(vocoder=VocoderSettings(cells=(10, 20)))


class Actor:
    """A registry as its handle looks. Without one it does not answer."""

    def __init__(self) -> None:
        self.registry: Registry | None = Registry()

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=partial(self._call, name))

    async def _call(self, name: str, *args: object) -> object:
        if self.registry is None:
            raise Unavailable("gone")
        return await getattr(self.registry, name)(*args)


class Vocoder:
    """Chooses `own` cells, whatever T3 costs."""

    def __init__(self, own: Cells, *, can_choose: bool = True) -> None:
        self.can_choose_cells = can_choose
        self.own = own
        self.used: Cells | None = None

    def choose_cells(self, t3: Cost | None) -> Cells:
        assert (t3 is not None) is self.can_choose_cells
        return self.own

    def use_cells(self, cells: Cells) -> None:
        self.used = cells


class T3:
    measured = STEP


@pytest.fixture
def actor():
    return Actor()


def cells_of(actor, vocoder=None, t3=None, args=ARGS) -> SharedCells:
    return SharedCells(actor, args, t3, vocoder)


async def settled(actor, vocoder: Vocoder, args: ServeArgs = ARGS) -> SharedCells:
    cells = cells_of(actor, vocoder, args=args)
    async with asyncio.timeout(10):
        await cells.settle()
        await cells.known()
    return cells


async def test_the_first_choice_is_that_of_every_later_replica(actor):
    await cells_of(actor, t3=T3()).tell(0)
    first, second = Vocoder((13, 26)), Vocoder((26, 26))
    await settled(actor, first)
    await settled(actor, second)
    assert first.used == second.used == (13, 26)


async def test_no_session_is_voiced_before_t3_has_told_its_cost(actor):
    vocoder = Vocoder((13, 26))
    cells = cells_of(actor, vocoder)
    settling, known = asyncio.create_task(cells.settle()), asyncio.create_task(cells.known())
    await asyncio.sleep(0)
    assert not known.done()
    await cells_of(actor, t3=T3()).tell(0)
    await asyncio.wait_for(asyncio.gather(settling, known), 10)
    assert vocoder.used == (13, 26)


async def test_a_registry_that_starts_anew_learns_the_cells_of_the_running_replicas(actor):
    t3 = cells_of(actor, t3=T3())
    await t3.tell(0)
    old = await settled(actor, Vocoder((13, 26)))
    actor.registry = Registry()
    new = Vocoder((26, 26))
    settling = asyncio.create_task(settled(actor, new))
    await asyncio.sleep(0)
    assert new.used is None  # T3 has not told the new registry
    await old.tell(0)
    await t3.tell(0)
    await settling
    assert new.used == (13, 26)


async def test_a_registry_that_does_not_answer_is_asked_again(actor, monkeypatch):
    monkeypatch.setattr(shared_cells, "_RETRY_PAUSE_S", 0.001)
    await cells_of(actor, t3=T3()).tell(0)
    registry, actor.registry = actor.registry, None
    vocoder = Vocoder((13, 26))
    settling = asyncio.create_task(settled(actor, vocoder))
    await asyncio.sleep(0.005)
    actor.registry = registry
    await settling
    assert vocoder.used == (13, 26)


async def test_cells_of_the_configuration_need_no_registry(actor):
    actor.registry = None
    vocoder = Vocoder((10, 20), can_choose=False)
    await settled(actor, vocoder, FIXED)
    assert vocoder.used == (10, 20)


async def test_an_update_with_another_model_chooses_anew(actor):
    turbo = ServeArgs(model="embedded-turbo")
    await cells_of(actor, t3=T3()).tell(0)
    await cells_of(actor, t3=T3(), args=turbo).tell(0)
    await settled(actor, Vocoder((13, 26)))
    other = Vocoder((26, 26))
    await settled(actor, other, turbo)
    assert other.used == (26, 26)


async def test_the_first_registry_alone_is_told(actor):
    actor.registry = None  # the second shard has started, and the first is away
    await cells_of(actor, t3=T3()).tell(1)
    with pytest.raises(Unavailable):
        await cells_of(actor, t3=T3()).tell(0)


async def test_t3s_replica_waits_for_nothing(actor):
    actor.registry = None
    await cells_of(actor, t3=T3()).settle()
