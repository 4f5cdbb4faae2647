"""Keys and values of the running sequences in one tensor of pages that is never reallocated.

The fast path's cache. A lane is one row of one slot. Each lane has a line in a table on the device
that names its pages. The lanes are an input of a step, so a step of fixed shape serves any mix of
sequences. A lane wastes less than a page. All lanes that begin with a kept prefix share its whole
pages; only its last, partly filled page is copied. Page 0 and the lane after the last one have no
owner: the rows of padding write there. Knows nothing about scheduling.
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from app.engine.device.transfer import upload
from app.engine.t3.backbone import Backbone
from app.engine.t3.kv_budget import PAGE, Prefix, pages_of
from app.engine.t3.span_attention import Span

_NEVER = -float("inf")


class PagedKVCache:
    def __init__(
        self,
        backbone: Backbone,
        *,
        rows_per_slot: int,
        num_slots: int,
        num_pages: int,
        max_positions: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """At most `num_pages` are held at once, and at most `max_positions` by one lane."""
        self.num_lanes = num_slots * rows_per_slot
        self.max_pages = pages_of(max_positions)
        self._rows_per_slot = rows_per_slot
        page = (PAGE, backbone.num_heads, backbone.head_dim)
        shape = (backbone.num_layers, 2, 1 + num_pages, *page)
        self.pages = torch.zeros(shape, device=device, dtype=dtype)
        lines = (self.num_lanes + 1, self.max_pages)
        self.table = torch.zeros(lines, device=device, dtype=torch.int64)
        self._free = list(range(num_pages, 0, -1))
        self._own: dict[int, list[int]] = {}  # by lane
        self._num_shared: dict[int, int] = {}  # by lane: pages of a prefix, before its own pages
        self._prefixes: dict[Prefix, list[int]] = {}

    # -- the owners of pages: the host's side, ahead of the device --------------------------------

    @property
    def num_bytes(self) -> int:
        """Held by slots; kept prefixes are not counted."""
        return sum(len(pages) for pages in self._own.values()) * self.page_bytes

    @property
    def num_prefixes(self) -> int:
        return len(self._prefixes)

    @property
    def page_bytes(self) -> int:
        return self.pages[:, :, 0].nbytes

    @property
    def num_free(self) -> int:
        return len(self._free)

    def lanes_of(self, slot: int, num_rows: int) -> range:
        first = slot * self._rows_per_slot
        return range(first, first + num_rows)

    def pages_held(self, slot: int) -> int:
        lanes = self.lanes_of(slot, self._rows_per_slot)
        return sum(len(self._own.get(lane, ())) for lane in lanes)

    def reserve(self, spans: Iterable[Span]) -> None:
        """Make room for the spans' positions. Raises RuntimeError where no page is free,
        which admission must prevent."""
        wanted = [
            (lane, column)
            for span in spans
            for lane in self.lanes_of(span.slot, span.num_rows)
            for column in range(self._num_columns(lane), pages_of(span.end))
        ]
        if not wanted:
            return
        if len(wanted) > len(self._free):
            raise RuntimeError("no page is free: more sequences were admitted than fit")
        pages = self._free[: -len(wanted) - 1 : -1]
        entries = [(*place, page) for place, page in zip(wanted, pages, strict=True)]
        # Keys past a lane's end have weight 0, but 0 times a NaN of an earlier owner is a NaN.
        self.pages.index_fill_(2, self._write_table(entries), 0.0)
        del self._free[-len(wanted) :]  # last: the calls above may run short of memory
        for lane, _, page in entries:
            self._own.setdefault(lane, []).append(page)

    def release(self, slot: int) -> None:
        """The slot of a sequence that never ran holds nothing."""
        for lane in self.lanes_of(slot, self._rows_per_slot):
            self._num_shared.pop(lane, None)
            self._free.extend(reversed(self._own.pop(lane, [])))

    def begin(self, slot: int, num_rows: int, prefix: Prefix) -> None:
        """The sequence of an empty slot begins with a prefix, which must be kept while it runs."""
        kept = self._prefixes[prefix]
        num_whole = prefix.num_positions // PAGE
        lanes = self.lanes_of(slot, num_rows)
        entries = [(lane, column, kept[column]) for lane in lanes for column in range(num_whole)]
        for lane in lanes:
            self._num_shared[lane] = num_whole
            self._own[lane] = []
            for rest in kept[num_whole:]:  # at most one page: the lane fills the rest of it
                self._own[lane].append(self._take())
                entries.append((lane, num_whole, self._own[lane][-1]))
                self._copy([rest], self._own[lane])
        self._write_table(entries)

    def keep(self, slot: int, prefix: Prefix) -> None:
        """The slot's sequence has computed the prefix in its own pages: keep it for others."""
        num_pages = pages_of(prefix.num_positions)
        kept = self._prefixes[prefix] = [self._take() for _ in range(num_pages)]
        self._copy(self._own[self.lanes_of(slot, 1)[0]][:num_pages], kept)

    def forget(self, prefix: Prefix) -> None:
        """A prefix that was never computed holds nothing."""
        self._free.extend(reversed(self._prefixes.pop(prefix, [])))

    def _num_columns(self, lane: int) -> int:
        return self._num_shared.get(lane, 0) + len(self._own.get(lane, ()))

    def _take(self) -> int:
        if not self._free:
            raise RuntimeError("no page is free: more sequences were admitted than fit")
        return self._free.pop()

    # -- the device's side, in the order of its stream --------------------------------------------

    def _write_table(self, entries: Sequence[tuple[int, int, int]]) -> Tensor:
        """entries: (lane, column, page). Returns the pages."""
        lane, column, page = upload(entries, torch.int64, self.table.device).unbind(1)
        self.table[lane, column] = page
        return page

    def _copy(self, source: list[int], target: list[int]) -> None:
        device = self.pages.device
        from_pages, to_pages = upload([source, target], torch.int64, device).unbind(0)
        self.pages.index_copy_(2, to_pages, self.pages.index_select(2, from_pages))

    def attention(self, lanes: Tensor, positions: Tensor, num_pages: int) -> "PagedAttention":
        """lanes: (R,); positions: (R, N) of each lane's tokens. The positions are reserved, and lie
        in the first `num_pages` pages."""
        # After a lane's last page its line of the table names pages of an earlier owner. Their keys
        # have weight 0, but 0 times a NaN is a NaN: the lane's own first page replaces them.
        table = self.table[lanes, :num_pages]
        columns = torch.arange(num_pages, device=table.device)
        is_seen = columns * PAGE <= positions.amax(1, keepdim=True)
        return PagedAttention(self.pages, torch.where(is_seen, table, table[:, :1]), positions)


class PagedAttention:
    """Its shapes depend on its inputs' shapes alone. Nothing waits for the device.

    Each layer gathers its pages before it attends. That is three times the traffic of reading the
    pages in place, but no attention of torch 2.11 reads pages. Keys past a token's position have
    weight 0.
    """

    def __init__(self, pages: Tensor, table: Tensor, positions: Tensor) -> None:
        num_rows, num_columns = table.shape
        self._pages = pages
        self._positions = positions.shape
        self._named = table.flatten()
        self._context = (num_rows, num_columns * PAGE)
        page = table.gather(1, positions // PAGE)
        self._own = (page * PAGE + positions % PAGE).flatten()
        reach = torch.arange(num_columns * PAGE, device=table.device)
        hidden = reach > positions[:, :, None]
        mask = torch.zeros(hidden.shape, device=table.device, dtype=pages.dtype)
        self._mask = mask.masked_fill_(hidden, _NEVER)[:, None]  # (R, 1, N, T)

    def __call__(self, layer: int, qkv: Tensor) -> Tensor:
        """The tokens lie row after row, as in `positions`."""
        heads = qkv.shape[2:]
        keys, values = self._pages[layer].unbind(0)
        keys.view(-1, *heads).index_copy_(0, self._own, qkv[:, 1])
        values.view(-1, *heads).index_copy_(0, self._own, qkv[:, 2])
        query = qkv[:, 0].reshape(*self._positions, *heads).transpose(1, 2)
        attended = F.scaled_dot_product_attention(
            query, self._gather(keys), self._gather(values), attn_mask=self._mask
        )
        return attended.transpose(1, 2).reshape(len(qkv), -1)

    def _gather(self, pages: Tensor) -> Tensor:
        """(R, heads, T, head_dim)"""
        named = pages.index_select(0, self._named)
        return named.view(*self._context, *pages.shape[2:]).transpose(1, 2)
