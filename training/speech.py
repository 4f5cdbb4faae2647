"""What the teacher said, read back from its files."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.core import FRAMES_PER_TOKEN, SAMPLES_PER_FRAME
from training.teach import FILES, Utterance

CHECKED_EVERY = 25  # one utterance in so many is never trained on
WIDTHS = {"audio": SAMPLES_PER_FRAME, "mel": 80, "phone": 1, "pitch": 1}  # values of a frame
TOKENS = "token"  # one for two frames; written by training.tokenizer


class Speech:
    """Utterances in the teacher's order. Everything stays on disk until it is asked for."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError where there is no data yet."""
        self.parts = sorted((folder / "data").glob("*.jsonl"))
        if not self.parts:
            raise FileNotFoundError(f"{folder / 'data'} is empty: python -m training.teach first")
        self.utterances: list[Utterance] = []
        self._at: list[tuple[int, int]] = []  # part, its first frame
        for number, part in enumerate(self.parts):
            begin = 0
            for line in part.read_text().splitlines():
                utterance = Utterance(**json.loads(line))
                self.utterances.append(utterance)
                self._at.append((number, begin))
                begin += utterance.num_frames
        self._flat = {
            name: [np.memmap(p.with_suffix(f".{name}"), dtype, "r") for p in self.parts]
            for name, dtype in FILES.items()
        }
        self._tokens: list[NDArray[np.int16]] = [
            np.memmap(path, "i2", "r")
            for path in (p.with_suffix(f".{TOKENS}") for p in self.parts)
            if path.exists()
        ]

    @property
    def is_tokenised(self) -> bool:
        return len(self._tokens) == len(self.parts)

    def trained(self, voice: str | None = None, tokens: int = 1) -> list[int]:
        """Those to learn from, of a voice, at least so long. Raises ValueError where none is."""
        return self._some(voice, tokens, is_checked=False)

    def checked(self, voice: str | None = None, tokens: int = 1) -> list[int]:
        """Those that are never learnt from."""
        return self._some(voice, tokens, is_checked=True)

    def _some(self, voice: str | None, tokens: int, *, is_checked: bool) -> list[int]:
        some = [
            i
            for i, utterance in enumerate(self.utterances)
            if voice in (None, utterance.voice)
            and self.num_tokens(i) >= tokens
            and (i % CHECKED_EVERY == 0) == is_checked
        ]
        if not some:
            raise ValueError(f"no utterance of {tokens} tokens: the corpus is too small")
        return some

    @property
    def voices(self) -> tuple[str, ...]:
        return tuple(sorted({u.voice for u in self.utterances}))

    def audio(self, index: int, first: int = 0, frames: int | None = None) -> Tensor:
        """(480 * frames,) float32 at 24 kHz."""
        return torch.from_numpy(self._cut("audio", index, first, frames) / np.float32(32768))

    def mel(self, index: int, first: int = 0, frames: int | None = None) -> Tensor:
        """(frames, 80) float32."""
        flat = self._cut("mel", index, first, frames).astype(np.float32)
        return torch.from_numpy(flat.reshape(-1, WIDTHS["mel"]))

    def phones(self, index: int, first: int = 0, frames: int | None = None) -> Tensor:
        """(frames,) int64."""
        return torch.from_numpy(self._cut("phone", index, first, frames).astype(np.int64))

    def pitch(self, index: int, first: int = 0, frames: int | None = None) -> Tensor:
        """(frames,) float32, Hz, 0 where unvoiced."""
        return torch.from_numpy(self._cut("pitch", index, first, frames).astype(np.float32))

    def tokens(self, index: int) -> Tensor:
        """(tokens,) int64."""
        part, begin = self._at[index]
        begin, num = begin // FRAMES_PER_TOKEN, self.num_tokens(index)
        return torch.from_numpy(self._tokens[part][begin : begin + num].astype(np.int64))

    def num_tokens(self, index: int) -> int:
        return self.utterances[index].num_frames // FRAMES_PER_TOKEN

    def _cut(self, name: str, index: int, first: int, frames: int | None) -> NDArray[np.generic]:
        part, begin = self._at[index]
        num = self.utterances[index].num_frames - first if frames is None else frames
        width = WIDTHS[name]
        return self._flat[name][part][(begin + first) * width : (begin + first + num) * width]


class Buckets:
    """Batches of utterances of much the same length; batch `step` is always the same one."""

    def __init__(self, speech: Speech, indices: Sequence[int], size: int, seed: int) -> None:
        by_length = sorted(indices, key=speech.num_tokens)
        self._all = [by_length[at : at + size] for at in range(0, len(by_length), size)]
        self._seed = seed

    def __getitem__(self, step: int) -> list[int]:
        epoch, at = divmod(step, len(self._all))
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._all))
        return self._all[order[at]]


def drawn(indices: Sequence[int], num: int) -> list[int]:
    """With repetition, from torch's generator."""
    return [indices[i] for i in torch.randint(len(indices), (num,)).tolist()]
