"""The cells on which all vocoder replicas of a deployment agree.

The sizes of cells change the sound, so they must be the same in every replica, also in one that
takes the place of another. They are chosen from what T3 and the vocoder cost, which each replica
measures a little differently: the first choice wins. A topic names what is chosen for: the model
and its settings, which an update of the deployment may change. Knows nothing about Ray, waiting or
how cells are chosen.
"""

from cachetools import LRUCache

from app.core import Cost

TOPICS_KEPT = 16

Cells = tuple[int, ...]


class CellAgreement:
    def __init__(self) -> None:
        self._t3: LRUCache[str, Cost] = LRUCache(TOPICS_KEPT)
        self._cells: LRUCache[str, Cells] = LRUCache(TOPICS_KEPT)

    def tell_t3(self, topic: str, cost: Cost) -> None:
        """What a decode step costs a T3 replica. The first one that tells counts."""
        self._t3.setdefault(topic, cost)

    def t3(self, topic: str) -> Cost | None:
        """None where no T3 replica has told."""
        return self._t3.get(topic)

    def agree(self, topic: str, cells: Cells) -> Cells:
        """The cells that were told first."""
        agreed: Cells = self._cells.setdefault(topic, cells)
        return agreed
