"""How all vocoder replicas of a deployment come to speak with the same cells.

T3's replica tells the registry what a step costs. A vocoder's replica waits for that, chooses cells
by it (app/engine/s3gen/ladders.py), and asks the registry, which keeps the first choice. Each
replica tells a registry that starts anew what it knows, before any replica can choose again.
"""

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from app.config import ServeArgs
from app.errors import Unavailable
from app.sessions.cell_agreement import Cells
from deployments.named_actors import answer
from deployments.registry import WHAT

if TYPE_CHECKING:
    from app.engine.stages.t3 import T3Stage
    from app.engine.stages.vocoder import VocoderStage

log = logging.getLogger(__name__)

_RETRY_PAUSE_S = 0.2  # another registry starts


class SharedCells:
    """Of one replica, which has T3, the vocoder, or both. Runs on the replica's event loop."""

    def __init__(
        self, actor: Any, args: ServeArgs, t3: "T3Stage | None", vocoder: "VocoderStage | None"
    ) -> None:
        """`actor`: the first registry."""
        self._actor = actor
        self._topic = args.model_dump_json(include={"model", "revision", "device", "t3", "vocoder"})
        self._t3 = t3
        self._vocoder = vocoder
        self._cells: Cells | None = None
        self._are_known = asyncio.Event()

    async def tell(self, shard: int) -> None:
        """Tell a registry that starts what this replica knows. For `on_epoch` of a follower."""
        if shard != 0:
            return
        if self._t3 is not None and self._t3.measured is not None:
            await self._actor.tell_t3.remote(self._topic, self._t3.measured)
        if self._cells is not None:
            await self._actor.agree_cells.remote(self._topic, self._cells)

    async def settle(self) -> None:
        """Returns when the vocoder has its cells; at once in a replica without one."""
        if self._vocoder is None:
            return
        while self._cells is None:
            try:
                self._cells = await self._agreed(self._vocoder)
            except Unavailable as error:
                log.warning("%s The cells are not chosen yet.", error.message)
                await asyncio.sleep(_RETRY_PAUSE_S)
        self._vocoder.use_cells(self._cells)
        log.info("A segment's cells have %s tokens.", ", ".join(map(str, self._cells)))
        self._are_known.set()

    async def known(self) -> None:
        """Returns once the vocoder has its cells: no session may be voiced before."""
        await self._are_known.wait()

    async def _agreed(self, vocoder: "VocoderStage") -> Cells | None:
        """None where no T3 replica has told its cost yet."""
        if not vocoder.can_choose_cells:
            return vocoder.choose_cells(None)
        cost = await self._ask(self._actor.t3_cost.remote, self._topic)
        if cost is None:
            return None
        chosen = vocoder.choose_cells(cost)
        agreed: Cells = await self._ask(self._actor.agree_cells.remote, self._topic, chosen)
        return agreed

    async def _ask(self, method: Any, *args: object) -> Any:
        return await answer(partial(method, *args), WHAT, within_s=None)
