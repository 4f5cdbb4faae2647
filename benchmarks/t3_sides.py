"""The three sides of the T3 benchmark. All decode the same number of tokens with the same weights.

    upstream  Chatterbox's own loop, one sequence
    bare      Chatterbox's transformer as the transformers library runs it: a batch of rows, argmax
    engine    our engine

Each side measures its prefill and its decoding separately. Knows nothing about rounds or ratios.
"""

import contextlib
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from chatterbox.models.t3.modules.cond_enc import T3Cond
from chatterbox.models.t3.t3 import T3
from torch import Tensor
from transformers import DynamicCache

from app.core import SamplingParams, SessionKey, SpeechTokens
from app.engine.checkpoint.source import Checkpoint
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.text_origins import WordIds
from app.engine.conditionals import T3Conditionals
from app.engine.t3.alignment_heads import NO_HEADS, AlignmentHeads
from app.engine.t3.engine import TokenEngine
from app.engine.t3.sequence import Sequence as T3Sequence
from app.engine.t3.sequence import SequenceRequest
from app.t3_settings import Precision, T3Settings
from benchmarks.measure import clock

_TEXT_IDS = tuple(range(1, 41))  # any sentence of 40 tokens
_NEVER_DRAWN = -1


class Decoding(NamedTuple):
    """`num_tokens` counts all sequences. The first token of each belongs to the prefill."""

    prefill_s: float
    decode_s: float
    num_tokens: int

    @property
    def tokens_per_s(self) -> float:
        return self.num_tokens / self.decode_s


@dataclass(frozen=True, slots=True)
class Subject:
    """A loaded model and its inputs. `t3` never stops by itself."""

    spec: ModelSpec
    t3: T3
    voice: T3Conditionals
    sampling: SamplingParams
    device: torch.device
    dtype: torch.dtype

    @property
    def num_rows(self) -> int:
        """The rows of one sequence: 2 for a CFG pair, otherwise 1."""
        return 2 if self.spec.t3.backbone == "llama" and self.sampling.cfg_weight > 0 else 1

    def request(self, name: str, num_tokens: int, seed: int = 0) -> SequenceRequest:
        sampling = replace(self.sampling, max_tokens=num_tokens, ignore_eos=True, seed=seed)
        key = SessionKey("benchmark", name)
        words = tuple(WordIds(first, first + 4) for first in range(0, len(_TEXT_IDS), 5))
        return SequenceRequest(key, 0, _TEXT_IDS, self.voice, sampling, words=words)


def load(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Subject:
    t3 = checkpoint.load_t3(device, dtype)
    # No token is the stop token, so upstream's loops run to their limit. No model counts as
    # multilingual: its analyzer (dropped upstream after 0.1.7) would slow the shared modules.
    t3.hp = replace(t3.hp, stop_speech_token=_NEVER_DRAWN, text_tokens_dict_size=0)
    spec = checkpoint.spec
    voice = checkpoint.conditionals(checkpoint.voices()[0]).t3
    return Subject(spec, t3, voice, spec.sampling, device, dtype)


class Upstream:
    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._heads_s: list[
            float
        ] = []  # the time of the first call of the head, at the end of the prefill
        subject.t3.speech_head.register_forward_hook(self._note_prefill)

    def decode(self, num_tokens: int) -> Decoding:
        subject = self._subject
        self._heads_s.clear()
        started = clock(subject.device)
        with contextlib.redirect_stderr(io.StringIO()):  # upstream's progress bar
            if subject.spec.t3.backbone == "llama":
                self._speak_llama(num_tokens)
            else:
                self._speak_gpt2(num_tokens)
        ended = clock(subject.device)
        (prefilled,) = self._heads_s
        return Decoding(prefilled - started, ended - prefilled, num_tokens)

    def num_prompt(self) -> int:
        """The number of positions before the first generated token."""
        subject = self._subject
        ids = torch.tensor([_TEXT_IDS], device=subject.device)
        is_llama = subject.spec.t3.backbone == "llama"
        with torch.inference_mode():
            embedded, _ = subject.t3.prepare_input_embeds(
                t3_cond=self._cond(), text_tokens=ids, speech_tokens=ids[:, :1], cfg_weight=0.0
            )
        return int(embedded.shape[1]) + (3 if is_llama else 0)  # start, stop and the second BOS

    def _note_prefill(self, _module: object, _inputs: object, _output: object) -> None:
        if not self._heads_s:
            self._heads_s.append(clock(self._subject.device))

    def _speak_llama(self, num_tokens: int) -> None:
        subject, hp = self._subject, self._subject.t3.hp
        framed = torch.tensor([[hp.start_text_token, *_TEXT_IDS, hp.stop_text_token]])
        subject.t3.inference(
            t3_cond=self._cond(),
            text_tokens=framed.repeat(2, 1).to(subject.device),
            max_new_tokens=num_tokens,  # upstream computes one step more than it samples from
            temperature=subject.sampling.temperature,
            top_p=subject.sampling.top_p,
            min_p=subject.sampling.min_p,
            repetition_penalty=subject.sampling.repetition_penalty,
            cfg_weight=subject.sampling.cfg_weight,
        )

    def _speak_gpt2(self, num_tokens: int) -> None:
        subject = self._subject
        subject.t3.inference_turbo(
            t3_cond=self._cond(),
            text_tokens=torch.tensor([_TEXT_IDS], device=subject.device),
            temperature=subject.sampling.temperature,
            top_k=subject.sampling.top_k,
            top_p=subject.sampling.top_p,
            repetition_penalty=subject.sampling.repetition_penalty,
            max_gen_len=num_tokens,  # upstream does not count the first token
        )

    def _cond(self) -> T3Cond:
        subject = self._subject
        return T3Cond(
            speaker_emb=subject.voice.speaker_emb[None],
            cond_prompt_speech_tokens=subject.voice.prompt_tokens[None],
            emotion_adv=subject.sampling.exaggeration * torch.ones(1, 1, 1),
        ).to(device=subject.device, dtype=subject.dtype)


class Bare:
    """The prompt is `num_prompt` positions of noise; the values do not change the speed."""

    def __init__(self, subject: Subject, num_prompt: int) -> None:
        self._subject = subject
        self._num_prompt = num_prompt

    @torch.inference_mode()
    def decode(self, num_sequences: int, num_tokens: int) -> Decoding:
        """Each row takes its most likely token. All rows share one prefill of the prompt."""
        subject = self._subject
        num_rows = num_sequences * subject.num_rows
        cache = DynamicCache(config=subject.t3.tfmr.config)
        prompt = torch.randn(
            *(1, self._num_prompt, subject.spec.t3.dim), device=subject.device, dtype=subject.dtype
        )
        started = clock(subject.device)
        tokens = self._step(prompt, cache)
        prefilled = clock(subject.device)
        cache.batch_repeat_interleave(num_rows)
        tokens = tokens.repeat(num_rows, 1)
        decode_started = clock(subject.device)
        for _ in range(num_tokens):
            tokens = self._step(subject.t3.speech_emb(tokens), cache)
        ended = clock(subject.device)
        return Decoding(prefilled - started, ended - decode_started, num_sequences * num_tokens)

    def _step(self, embedded: Tensor, cache: DynamicCache) -> Tensor:
        """(rows, N, dim) to (rows, 1) ids."""
        t3 = self._subject.t3
        output = t3.tfmr(inputs_embeds=embedded, past_key_values=cache, use_cache=True)
        ids: Tensor = t3.speech_head(output.last_hidden_state[:, -1:]).argmax(dim=-1)
        return ids


class Step(NamedTuple):
    at: float  # the start, time.perf_counter
    keys: frozenset[SessionKey]


class Engine:
    """One engine and one copy of its weights for every number of sequences up to `num_slots`."""

    def __init__(
        self,
        subject: Subject,
        num_slots: int,
        heads: AlignmentHeads = NO_HEADS,
        dtype: Precision = "auto",
    ) -> None:
        """`heads`: whose attention is followed through the text. `dtype`: int8, or the subject's
        own where `auto`."""
        self._subject = subject
        # One message per token, so that tokens can be counted; no pacing.
        settings = T3Settings(slots=num_slots, first_group=1, group=1, max_lead_s=1e6, dtype=dtype)
        self.steps: list[Step] = []
        self.tokens = TokenEngine.from_weights(
            subject.t3.state_dict(),
            subject.spec,
            settings,
            on_step=self._note_step,
            heads=heads,
        )

    def decode(self, num_sequences: int, num_tokens: int) -> Decoding:
        """Starts all sequences at once on an idle engine. Decoding is measured from the first token
        of the last sequence; the other sequences have decoded some tokens by then."""
        subject = self._subject
        longest = num_tokens + 8 * num_sequences + 32
        requests = [subject.request(str(n), longest, seed=n) for n in range(num_sequences)]
        started = clock(subject.device)
        for request in requests:
            self.tokens.receive(self.tokens.prepare(request))
        speaking: set[SessionKey] = set()
        while len(speaking) < num_sequences:
            speaking.update(item.key for item in self._step())
        decode_started = clock(subject.device)
        num_decoded = 0
        while num_decoded < num_sequences * num_tokens:
            num_decoded += sum(len(item.ids) for item in self._step())
        ended = clock(subject.device)
        self._stop(requests)
        return Decoding(decode_started - started, ended - decode_started, num_decoded)

    def speak_to_the_end(self, num_sequences: int, num_tokens: int, *, at_once: bool) -> float:
        """Seconds until all requests have ended, on an engine that is idle at the start."""
        subject = self._subject
        started = clock(subject.device)
        for n in range(num_sequences):
            request = subject.request(str(n), num_tokens, seed=n)
            self.tokens.receive(self.tokens.prepare(request))
            if not at_once:
                self._run_dry()
        self._run_dry()
        return clock(subject.device) - started

    def _note_step(self, sequences: Sequence[T3Sequence]) -> None:
        self.steps.append(Step(time.perf_counter(), frozenset(s.key for s in sequences)))

    def _step(self) -> list[SpeechTokens]:
        items = self.tokens.step()
        ended = [item for item in items if item.finish is not None]
        if ended:
            raise RuntimeError(f"{ended[0].key.session_id} ended with {ended[0].finish}")
        return items

    def _stop(self, requests: Sequence[SequenceRequest]) -> None:
        for request in requests:
            self.tokens.cancel(request.key, None)
        self._run_dry()
        self.tokens.check_integrity()

    def _run_dry(self) -> None:
        while self.tokens.has_work():
            self.tokens.step()
