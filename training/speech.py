"""What the teacher said, read back from its files into flat tables on one device."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from app.core import FRAMES_PER_TOKEN, SAMPLE_RATE, SAMPLES_PER_FRAME
from training.synthesise_corpus import FILES, Utterance, is_read

CHECKED_EVERY = 25  # one utterance in so many is never trained on
TOKENS = "token"  # one for two frames; written by training.tokenizer and training.read_tokens
# Values of a frame, or of a token:
WIDTHS = {"audio": SAMPLES_PER_FRAME, "mel": 80, "phone": 1, "pitch": 1, TOKENS: 1}
_DTYPES = {**FILES, TOKENS: "i2"}


class Speech:
    """Utterances in the teacher's order: those of which everything that is asked for is there.

    An utterance is its index. Tables are read when they are first asked for.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], device: torch.device | str = "cpu"
    ) -> None:
        """Raises FileNotFoundError where there is no such data yet."""
        every = sorted((folder / "data").glob("*.jsonl"))
        self.device = torch.device(device)
        self.parts = [p for p in every if is_read(p, names)]
        if not self.parts:
            raise FileNotFoundError(
                f"{folder / 'data'} has no {' and '.join(names)}: the stages before first"
            )
        lines = [part.read_text().splitlines() for part in self.parts]
        self._num_by_part = [len(some) for some in lines]
        self.utterances = [Utterance(**json.loads(line)) for some in lines for line in some]
        frames = torch.tensor([u.num_frames for u in self.utterances], device=self.device)
        self.num_frames = frames
        self.num_tokens = frames // FRAMES_PER_TOKEN
        self._begin = frames.cumsum(0) - frames
        self.voices = tuple(sorted({u.voice for u in self.utterances}))
        numbers = {voice: number for number, voice in enumerate(self.voices)}
        self.voice = torch.tensor([numbers[u.voice] for u in self.utterances], device=self.device)
        self._table = cache(self._read)

    @property
    def hours(self) -> float:
        return float(self.num_frames.sum()) * SAMPLES_PER_FRAME / SAMPLE_RATE / 3600

    def trained(self, tokens: int = 1, voice: int | None = None) -> Tensor:
        """Those to learn from, at least so long, of a voice. Raises ValueError where none is."""
        return self._some(tokens, voice, is_checked=False)

    def checked(self, tokens: int = 1) -> Tensor:
        """Those that are never learnt from."""
        return self._some(tokens, None, is_checked=True)

    def _some(self, tokens: int, voice: int | None, *, is_checked: bool) -> Tensor:
        indices = torch.arange(len(self.utterances), device=self.device)
        wanted = (self.num_tokens >= tokens) & ((indices % CHECKED_EVERY == 0) == is_checked)
        if voice is not None:
            wanted &= self.voice == voice
        if not wanted.any():
            raise ValueError(f"no utterance of {tokens} tokens: the corpus is too small")
        return indices[wanted]

    def cut(self, name: str, indices: Tensor, first: Tensor | int, num: int) -> Tensor:
        """Of each utterance `num` frames (tokens, of tokens) from its own `first` on:
        audio (rows, 480 * num) float32, mel (rows, num, 80) float32, pitch (rows, num) float32,
        phone and token (rows, num) int64. What reaches past an utterance is of those after it.
        """
        table = self._table(name)
        per = FRAMES_PER_TOKEN if name == TOKENS else 1
        begin = self._begin[indices] // per + first
        at = begin[:, None] + torch.arange(num, device=self.device)
        values = table[at.clamp_max(len(table) - 1)]
        if name == "audio":
            return values.flatten(1) / 32768.0
        if name in ("mel", "pitch"):
            return values.float().squeeze(-1)
        return values.squeeze(-1).long()

    def whole(self, name: str, index: int) -> Tensor:
        """Of one utterance everything, as `cut` does without the rows."""
        num = (self.num_tokens if name == TOKENS else self.num_frames)[index]
        return self.cut(name, torch.tensor([index], device=self.device), 0, int(num))[0]

    def _read(self, name: str) -> Tensor:
        """Raises ValueError where a file is not of its part's length: all after it would shift."""
        num = self.num_tokens if name == TOKENS else self.num_frames
        flat = []
        for part, indices in self.indices_by_part():
            values = np.fromfile(part.with_suffix(f".{name}"), _DTYPES[name])
            if len(values) != WIDTHS[name] * int(num[indices.start : indices.stop].sum()):
                raise ValueError(f"{part.with_suffix(f'.{name}')} is not as long as {part} says")
            flat.append(values)
        return torch.from_numpy(np.concatenate(flat)).to(self.device).view(-1, WIDTHS[name])

    def indices_by_part(self) -> Iterator[tuple[Path, range]]:
        begin = 0
        for part, num in zip(self.parts, self._num_by_part, strict=True):
            yield part, range(begin, begin + num)
            begin += num


class Buckets:
    """Batches of utterances of much the same length; batch `step` is always the same one."""

    def __init__(self, speech: Speech, indices: Tensor, size: int, seed: int) -> None:
        by_length = indices[speech.num_tokens[indices].argsort(stable=True)]
        self._all = by_length.split(size)
        self._seed = seed

    def __getitem__(self, step: int) -> Tensor:
        epoch, at = divmod(step, len(self._all))
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._all))
        return self._all[order[at]]


def drawn(indices: Tensor, num: int) -> Tensor:
    """With repetition, from torch's generator."""
    return indices[torch.randint(len(indices), (num,), device=indices.device)]


def drawn_below(bounds: Tensor) -> Tensor:
    """One whole number in [0, bound) for each, from torch's generator."""
    return (torch.rand(len(bounds), device=bounds.device) * bounds).long()
