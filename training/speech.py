"""The teacher's utterances, read from files into flat tables on one device."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from app.core import FRAMES_PER_TOKEN, SAMPLE_RATE, SAMPLES_PER_FRAME
from training.synthesise_corpus import FILES, Utterance, is_read

VALIDATION_EVERY = 25  # every 25th utterance belongs to the validation set
TOKENS = "token"  # one per two frames; training.tokenizer and training.read_tokens write them
# The number of values per frame, or per token:
WIDTHS = {"audio": SAMPLES_PER_FRAME, "mel": 80, "phone": 1, "pitch": 1, TOKENS: 1}
_DTYPES = {**FILES, TOKENS: "i2"}


class Speech:
    """The utterances that have all the files in `names`, in the teacher's order.

    An utterance is named by its index. A table is read at its first use.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], device: torch.device | str = "cpu"
    ) -> None:
        """Raises FileNotFoundError if no utterance has all the files."""
        every = sorted((folder / "data").glob("*.jsonl"))
        self.device = torch.device(device)
        self.parts = [p for p in every if is_read(p, names)]
        if not self.parts:
            raise FileNotFoundError(
                f"{folder / 'data'} has no {' and '.join(names)}: run the earlier stages first"
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

    def training(self, tokens: int = 1, voice: int | None = None) -> Tensor:
        """The indices of the training set with at least `tokens` tokens, of one voice or of all.
        Raises ValueError if there is none."""
        return self._some(tokens, voice, is_validation=False)

    def validation(self, tokens: int = 1) -> Tensor:
        """The indices of the validation set. Raises ValueError if there is none."""
        return self._some(tokens, None, is_validation=True)

    def _some(self, tokens: int, voice: int | None, *, is_validation: bool) -> Tensor:
        indices = torch.arange(len(self.utterances), device=self.device)
        wanted = (self.num_tokens >= tokens) & ((indices % VALIDATION_EVERY == 0) == is_validation)
        if voice is not None:
            wanted &= self.voice == voice
        if not wanted.any():
            raise ValueError(f"the corpus is too small: no utterance has {tokens} tokens")
        return indices[wanted]

    def cut(self, name: str, indices: Tensor, first: Tensor | int, num: int) -> Tensor:
        """`num` frames of each utterance (of TOKENS: tokens), from `first` on: audio
        (rows, 480 * num) float32, mel (rows, num, 80) float32, pitch (rows, num) float32, phone
        and token (rows, num) int64. A cut past the end of an utterance continues in the next one.
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
        """One utterance, in the shapes of `cut` without the rows."""
        num = (self.num_tokens if name == TOKENS else self.num_frames)[index]
        return self.cut(name, torch.tensor([index], device=self.device), 0, int(num))[0]

    def _read(self, name: str) -> Tensor:
        """Raises ValueError if the length of a file is wrong: later utterances would be shifted."""
        num = self.num_tokens if name == TOKENS else self.num_frames
        flat = []
        for part, indices in self.indices_by_part():
            values = np.fromfile(part.with_suffix(f".{name}"), _DTYPES[name])
            if len(values) != WIDTHS[name] * int(num[indices.start : indices.stop].sum()):
                raise ValueError(f"{part.with_suffix(f'.{name}')} has not the length of {part}")
            flat.append(values)
        return torch.from_numpy(np.concatenate(flat)).to(self.device).view(-1, WIDTHS[name])

    def indices_by_part(self) -> Iterator[tuple[Path, range]]:
        begin = 0
        for part, num in zip(self.parts, self._num_by_part, strict=True):
            yield part, range(begin, begin + num)
            begin += num


class Buckets:
    """Batches of utterances of similar length. The seed and `step` determine a batch."""

    def __init__(self, speech: Speech, indices: Tensor, size: int, seed: int) -> None:
        by_length = indices[speech.num_tokens[indices].argsort(stable=True)]
        self._all = torch.split(by_length, size)
        self._seed = seed

    def __getitem__(self, step: int) -> Tensor:
        epoch, at = divmod(step, len(self._all))
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._all))
        batch: Tensor = self._all[order[at]]
        return batch


def draw_rows(indices: Tensor, num: int) -> Tensor:
    """`num` of the indices, with repetition, from torch's generator."""
    return indices[torch.randint(len(indices), (num,), device=indices.device)]


def draw_below(bounds: Tensor) -> Tensor:
    """A random integer in [0, bound) for each bound, from torch's generator."""
    return (torch.rand(len(bounds), device=bounds.device) * bounds).long()
