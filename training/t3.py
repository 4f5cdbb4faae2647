"""Stage 4: T3 learns which tokens a text is.

    python -m training.t3 --minutes 120

The sequence is that of inference: voice, text between its start and stop, the start token twice at
position 0, then speech. A tenth of the rows have no text, for guidance. From the same hidden state
the two phones of the next token are told by a layer that is thrown away: it makes the text and the
speech find one another in minutes.
"""

import sys
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS
from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.tokenizer import EnglishTokenizer
from training.model import read_model
from training.options import schedule, schedule_options
from training.speech import TOKENS, Buckets, Speech, drawn_below
from training.synthesise_corpus import PHONES
from training.texts import save_letter_tokenizer
from training.tokenizer import DIGITS, digits_of_codec
from training.training_loop import fit
from training.voices import Voices, drawn_vectors

ROWS = 16
RATE, WEIGHT_DECAY = 1e-3, 0.1
NO_TEXT = 0.1  # of the rows
EASY_SHARE, EASY_TOKENS = 0.1, 60  # of the steps see short utterances alone
MISHEARD = 0.1  # of the tokens
DROPOUT = 0.2
PHONE_WEIGHT = 0.5
PROMPT_TOKENS = 150
PROMPTS = 500  # utterances of a voice that prompts are cut from
CHECKED = 96
EXAGGERATION = 0.5
IGNORED = -100
START, STOP = 255, 0  # of a text; T3Spec's


class Batch(NamedTuple):
    """Rows padded to the longest."""

    text: Tensor  # (rows, text) with its start and stop
    num_text: Tensor  # (rows,)
    speech: Tensor  # (rows, tokens)
    num_speech: Tensor  # (rows,)
    phones: Tensor  # (rows, tokens, 2)
    prompt: Tensor  # (rows, 150)
    speaker: Tensor  # (rows, 256)
    guide: Tensor  # (rows,): 0 where the text is not told


class Learner(nn.Module):
    def __init__(self, t3: nn.Module, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.t3, self._dropout = t3, dropout
        self.phones = nn.Linear(t3.dim, FRAMES_PER_TOKEN * len(PHONES))
        for layer in t3.tfmr.layers:
            layer.self_attn.register_forward_hook(self._dropped)
            layer.mlp.register_forward_hook(self._dropped)

    def hidden(self, batch: Batch) -> Tensor:
        """(rows, tokens + 1, dim): from which each token, then the stop, is to be told."""
        t3, device = self.t3, batch.text.device
        rows, num_speech = batch.speech.shape
        voices = self._voices(batch)
        text = t3.text_emb(batch.text) * batch.guide[:, None, None]
        text = text + t3.text_pos_emb.emb.weight[: text.shape[1]]
        start = torch.tensor([t3.hp.start_speech_token], device=device)
        begun = t3.speech_emb(start) + t3.speech_pos_emb.emb.weight[:1]
        positions = t3.speech_pos_emb.emb.weight[1 : num_speech + 1]
        speech = t3.speech_emb(self._misheard(batch.speech)) + positions
        parts = [voices, text, begun.expand(rows, 2, -1), speech]
        is_there = torch.cat(
            [
                torch.ones(voices.shape[:2], dtype=torch.bool, device=device),
                torch.arange(text.shape[1], device=device) < batch.num_text[:, None],
                torch.ones(rows, 2, dtype=torch.bool, device=device),
                torch.arange(num_speech, device=device) < batch.num_speech[:, None],
            ],
            1,
        )
        # No gap between text and speech: what is padding goes behind everything.
        order = (~is_there).int().argsort(dim=1, stable=True)
        inputs = torch.cat(parts, 1)
        inputs = inputs.gather(1, order[:, :, None].expand_as(inputs))
        inputs = F.dropout(inputs, self._dropout, self.training)
        hidden: Tensor = t3.tfmr(inputs_embeds=inputs, use_cache=False).last_hidden_state
        back = order.argsort(1)
        return hidden.gather(1, back[:, :, None].expand_as(hidden))[:, -num_speech - 1 :]

    def _dropped(self, module: nn.Module, _: object, out: Any) -> Any:
        """What a layer's half adds, with dropout."""
        if isinstance(out, tuple):
            return (F.dropout(out[0], self._dropout, module.training), *out[1:])
        return F.dropout(out, self._dropout, module.training)

    def _misheard(self, speech: Tensor) -> Tensor:
        """In training some of what was said is not what was said: the text has to be asked, and
        what is sampled wrongly later is no surprise."""
        if not self.training:
            return speech
        wrong = torch.rand(speech.shape, device=speech.device) < MISHEARD
        return torch.where(wrong, torch.randint_like(speech, NUM_SPEECH_IDS), speech)

    def _voices(self, batch: Batch) -> Tensor:
        t3, encoder, rows = self.t3, self.t3.cond_enc, len(batch.text)
        heard = t3.speech_emb(batch.prompt) + t3.speech_pos_emb(batch.prompt)
        emotion = torch.full((rows, 1, 1), EXAGGERATION, device=batch.text.device)
        voice = encoder.spkr_enc(batch.speaker)[:, None]
        return torch.cat([voice, encoder.perceiver(heard), encoder.emotion_adv_fc(emotion)], 1)


def main() -> None:
    given = schedule_options(
        "t3",
        minutes=120.0,
        steps=16000,
        rows=ROWS,
        dropout=DROPOUT,
        bfloat16=int(torch.cuda.is_available()),  # 1 is quicker where a CPU has AVX512-BF16, too
    )
    speech = Speech(given.folder, ("phone", TOKENS), given.device)
    sys.stdout.write(f"{speech.hours:.1f} hours\n")
    torch.manual_seed(given.seed)
    spec = read_model()
    learner = Learner(begun(build_t3(spec.t3)), given.dropout).to(given.device)
    save_letter_tokenizer(given.folder, spec)
    texts = EnglishTokenizer(given.folder / "tokenizer.json")
    draw = Draw(speech, Voices.read(given.folder), texts)
    stop = spec.t3.stop_speech_token
    trained = speech.trained()
    short = trained[speech.num_tokens[trained] <= EASY_TOKENS]
    easy = Buckets(speech, short, given.rows, given.seed)
    every = Buckets(speech, trained, given.rows, given.seed)
    checked = Buckets(speech, speech.checked()[:CHECKED], ROWS, 0)

    def losses(step: int) -> dict[str, Tensor]:
        buckets = easy if step < EASY_SHARE * given.steps else every
        with torch.autocast(given.device.type, torch.bfloat16, enabled=bool(given.bfloat16)):
            return compared(learner, draw(buckets[step]), stop)[0]

    @torch.no_grad()
    def check() -> dict[str, float]:
        torch.manual_seed(0)
        sums: dict[str, float] = {}
        for at in range(CHECKED // ROWS):
            batch = draw(checked[at])
            told, right = compared(
                learner, batch._replace(guide=torch.ones_like(batch.guide)), stop
            )
            for name, value in {**told, "right": right}.items():
                sums[f"checked_{name}"] = sums.get(f"checked_{name}", 0.0) + float(value)
        return {name: value / (CHECKED // ROWS) for name, value in sums.items()}

    settings = schedule(given, RATE, WEIGHT_DECAY)
    fit(given.folder, "t3", learner, settings, losses=losses, check=check)


class Draw:
    """Utterances as T3 sees them; prompts and what is left out are from torch's generator."""

    def __init__(self, speech: Speech, voices: Voices, tokenizer: EnglishTokenizer) -> None:
        self._speech = speech
        self._speakers = drawn_vectors(voices.t3, speech.voices, speech.device)
        texts = [[START, *tokenizer.encode(u.text, None), STOP] for u in speech.utterances]
        self._text = torch.tensor([i for ids in texts for i in ids], device=speech.device)
        self._num_text = torch.tensor([len(ids) for ids in texts], device=speech.device)
        self._begin = self._num_text.cumsum(0) - self._num_text
        said = [speech.trained(voice=voice)[:PROMPTS] for voice in range(len(speech.voices))]
        tables = [torch.cat([speech.whole(TOKENS, int(i)) for i in some]) for some in said]
        self._said = pad_sequence(tables, batch_first=True)
        self._num_said = torch.tensor([len(table) for table in tables], device=speech.device)

    def __call__(self, rows: Tensor) -> Batch:
        speech, device = self._speech, self._speech.device
        num_text, num_speech = self._num_text[rows], speech.num_tokens[rows]
        most_text, most_speech = int(num_text.max()), int(num_speech.max())
        at = self._begin[rows][:, None] + torch.arange(most_text, device=device)
        phones = speech.cut("phone", rows, 0, FRAMES_PER_TOKEN * most_speech)
        voice = speech.voice[rows]
        first = drawn_below(self._num_said[voice] - PROMPT_TOKENS + 1)
        prompt = first[:, None] + torch.arange(PROMPT_TOKENS, device=device)
        return Batch(
            self._text[at.clamp_max(len(self._text) - 1)],
            num_text,
            speech.cut(TOKENS, rows, 0, most_speech),
            num_speech,
            phones.unflatten(1, (most_speech, FRAMES_PER_TOKEN)),
            self._said[voice[:, None], prompt],
            self._speakers(voice),
            (torch.rand(len(rows), device=device) > NO_TEXT).float(),
        )


def compared(learner: Learner, batch: Batch, stop: int) -> tuple[dict[str, Tensor], Tensor]:
    """The losses, and the share of phones that are told rightly."""
    hidden = learner.hidden(batch)
    at = torch.arange(hidden.shape[1], device=hidden.device)
    ended = batch.num_speech[:, None]
    tokens = F.pad(batch.speech, (0, 1)).masked_fill(at == ended, stop)
    phones = F.pad(batch.phones, (0, 0, 0, 1))
    is_told = (at < ended) & (batch.guide[:, None] > 0)
    phones = phones.masked_fill(~is_told[:, :, None], IGNORED)
    asked = at <= ended
    predicting, phones = hidden[asked], phones[asked].flatten()
    told = learner.phones(predicting).reshape(len(phones), -1)
    right = ((told.argmax(-1) == phones).sum() / (phones != IGNORED).sum()).float()
    losses = {
        "token": F.cross_entropy(learner.t3.speech_head(predicting), tokens[asked]),
        "phone": PHONE_WEIGHT * F.cross_entropy(told, phones, ignore_index=IGNORED),
    }
    return losses, right


@torch.no_grad()
def begun(t3: nn.Module) -> nn.Module:
    """Small tables, and codes that sound alike begin alike, as heard and as said."""
    for table in (t3.text_emb, t3.text_pos_emb.emb, t3.speech_pos_emb.emb):
        table.weight.normal_(0, 0.02)
    for table in (t3.speech_emb, t3.speech_head):
        table.weight.normal_(0, 0.005)
        own = digits_of_codec() @ torch.randn(DIGITS, t3.dim)
        table.weight[:NUM_SPEECH_IDS] += 0.02 * own / DIGITS**0.5
    return t3


if __name__ == "__main__":
    main()
