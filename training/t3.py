"""Stage 4: T3 learns to predict the speech tokens of a text.

    python -m training.t3 --minutes 120

The sequence is that of inference: the voice, the text between its start and stop tokens, the start
token twice at position 0, then the speech tokens. A tenth of the rows have no text, for
classifier-free guidance. An auxiliary layer predicts the two phones of the next token from the same
hidden state. With this layer T3 learns within minutes which part of the text it speaks. The layer
is not part of the checkpoint.
"""

import sys
from typing import Any, NamedTuple

import torch
from chatterbox.models.t3.t3 import T3
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS
from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.tokenizer import EnglishTokenizer
from training.model import read_model
from training.options import parse_training_options, schedule_of
from training.speech import TOKENS, Buckets, Speech, draw_below
from training.synthesise_corpus import PHONES
from training.texts import save_letter_tokenizer
from training.tokenizer import DIGITS, digits_of_codec
from training.training_loop import train
from training.voices import Voices, speaker_table

ROWS = 16
RATE, WEIGHT_DECAY = 1e-3, 0.1
NO_TEXT = 0.1  # share of rows
EASY_SHARE, EASY_TOKENS = 0.1, 60  # the first steps see only utterances of at most 60 tokens
WRONG_TOKENS = 0.1  # share of input tokens that are replaced
DROPOUT = 0.2
PHONE_WEIGHT = 0.5
PROMPT_TOKENS = 150
PROMPTS = 500  # utterances of a voice from which prompts are cut
NUM_VALIDATED = 96
EXAGGERATION = 0.5
IGNORED = -100
START, STOP = 255, 0  # text tokens, as in T3Spec


class Batch(NamedTuple):
    """Rows padded to the longest."""

    text: Tensor  # (rows, text), with start and stop
    num_text: Tensor  # (rows,)
    speech: Tensor  # (rows, tokens)
    num_speech: Tensor  # (rows,)
    phones: Tensor  # (rows, tokens, 2)
    prompt: Tensor  # (rows, 150)
    speaker: Tensor  # (rows, 256)
    guide: Tensor  # (rows,): 0 for a row without text


class T3WithPhoneHead(nn.Module):
    def __init__(self, t3: T3, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.t3, self._dropout = t3, dropout
        self.phones = nn.Linear(t3.dim, FRAMES_PER_TOKEN * len(PHONES))
        for layer in t3.tfmr.layers:
            layer.self_attn.register_forward_hook(self._drop_out)
            layer.mlp.register_forward_hook(self._drop_out)

    def hidden(self, batch: Batch) -> Tensor:
        """(rows, tokens + 1, dim): the states that predict each token and then the stop."""
        t3: T3 = self.t3
        device = batch.text.device
        rows, num_speech = batch.speech.shape
        voices = self._embed_voices(batch)
        text = t3.text_emb(batch.text) * batch.guide[:, None, None]
        text = text + t3.text_pos_emb.emb.weight[: text.shape[1]]
        start = torch.tensor([t3.hp.start_speech_token], device=device)
        start = t3.speech_emb(start) + t3.speech_pos_emb.emb.weight[:1]
        positions = t3.speech_pos_emb.emb.weight[1 : num_speech + 1]
        speech = t3.speech_emb(self._replace_some(batch.speech)) + positions
        parts = [voices, text, start.expand(rows, 2, -1), speech]
        is_there = torch.cat(
            [
                torch.ones(voices.shape[:2], dtype=torch.bool, device=device),
                torch.arange(text.shape[1], device=device) < batch.num_text[:, None],
                torch.ones(rows, 2, dtype=torch.bool, device=device),
                torch.arange(num_speech, device=device) < batch.num_speech[:, None],
            ],
            1,
        )
        # All padding moves to the end of a row, so that no gap is between text and speech.
        order = (~is_there).int().argsort(dim=1, stable=True)
        inputs = torch.cat(parts, 1)
        inputs = inputs.gather(1, order[:, :, None].expand_as(inputs))
        inputs = F.dropout(inputs, self._dropout, self.training)
        hidden: Tensor = t3.tfmr(inputs_embeds=inputs, use_cache=False).last_hidden_state
        back = order.argsort(1)
        return hidden.gather(1, back[:, :, None].expand_as(hidden))[:, -num_speech - 1 :]

    def _drop_out(self, module: nn.Module, _: object, out: Any) -> Any:
        """A forward hook: dropout on the output of a layer's attention or MLP."""
        if isinstance(out, tuple):
            return (F.dropout(out[0], self._dropout, module.training), *out[1:])
        return F.dropout(out, self._dropout, module.training)

    def _replace_some(self, speech: Tensor) -> Tensor:
        """In training, random tokens replace some input tokens. T3 then has to read the text, and
        it recovers from wrong tokens that are sampled at inference."""
        if not self.training:
            return speech
        is_wrong = torch.rand(speech.shape, device=speech.device) < WRONG_TOKENS
        return torch.where(is_wrong, torch.randint_like(speech, NUM_SPEECH_IDS), speech)

    def _embed_voices(self, batch: Batch) -> Tensor:
        t3: T3 = self.t3
        encoder, rows = t3.cond_enc, len(batch.text)
        prompt = t3.speech_emb(batch.prompt) + t3.speech_pos_emb(batch.prompt)
        emotion = torch.full((rows, 1, 1), EXAGGERATION, device=batch.text.device)
        voice = encoder.spkr_enc(batch.speaker)[:, None]
        return torch.cat([voice, encoder.perceiver(prompt), encoder.emotion_adv_fc(emotion)], 1)


def main() -> None:
    options = parse_training_options(
        "t3",
        minutes=120.0,
        steps=16000,
        rows=ROWS,
        dropout=DROPOUT,
        bfloat16=int(torch.cuda.is_available()),  # also faster on a CPU with AVX512-BF16
    )
    speech = Speech(options.folder, ("phone", TOKENS), options.device)
    sys.stdout.write(f"{speech.hours:.1f} hours\n")
    torch.manual_seed(options.seed)
    spec = read_model()
    model = T3WithPhoneHead(initialise(build_t3(spec.t3)), options.dropout).to(options.device)
    save_letter_tokenizer(options.folder, spec)
    texts = EnglishTokenizer(options.folder / "tokenizer.json")
    draw = BatchDrawer(speech, Voices.read(options.folder), texts)
    stop = spec.t3.stop_speech_token
    training = speech.training()
    short = training[speech.num_tokens[training] <= EASY_TOKENS]
    easy = Buckets(speech, short, options.rows, options.seed)
    every = Buckets(speech, training, options.rows, options.seed)
    validation = Buckets(speech, speech.validation()[:NUM_VALIDATED], ROWS, 0)

    def losses(step: int) -> dict[str, Tensor]:
        buckets = easy if step < EASY_SHARE * options.steps else every
        with torch.autocast(options.device.type, torch.bfloat16, enabled=bool(options.bfloat16)):
            return losses_of(model, draw(buckets[step]), stop)[0]

    @torch.no_grad()
    def validate() -> dict[str, float]:
        torch.manual_seed(0)
        sums: dict[str, float] = {}
        for at in range(NUM_VALIDATED // ROWS):
            batch = draw(validation[at])
            parts, right = losses_of(
                model, batch._replace(guide=torch.ones_like(batch.guide)), stop
            )
            for name, value in {**parts, "right": right}.items():
                sums[f"validation_{name}"] = sums.get(f"validation_{name}", 0.0) + float(value)
        return {name: value / (NUM_VALIDATED // ROWS) for name, value in sums.items()}

    schedule = schedule_of(options, RATE, WEIGHT_DECAY)
    train(options.folder, "t3", model, schedule, losses=losses, validate=validate)


class BatchDrawer:
    """Makes batches of utterances. Prompts and rows without text come from torch's generator."""

    def __init__(self, speech: Speech, voices: Voices, tokenizer: EnglishTokenizer) -> None:
        self._speech = speech
        self._speakers = speaker_table(voices.t3, speech.voices, speech.device)
        texts = [[START, *tokenizer.encode(u.text, None), STOP] for u in speech.utterances]
        self._text = torch.tensor([i for ids in texts for i in ids], device=speech.device)
        self._num_text = torch.tensor([len(ids) for ids in texts], device=speech.device)
        self._begin = self._num_text.cumsum(0) - self._num_text
        by_voice = [speech.training(voice=voice)[:PROMPTS] for voice in range(len(speech.voices))]
        tables = [torch.cat([speech.whole(TOKENS, int(i)) for i in some]) for some in by_voice]
        self._prompts = pad_sequence(tables, batch_first=True)
        self._num_prompts = torch.tensor([len(table) for table in tables], device=speech.device)

    def __call__(self, rows: Tensor) -> Batch:
        speech, device = self._speech, self._speech.device
        num_text, num_speech = self._num_text[rows], speech.num_tokens[rows]
        most_text, most_speech = int(num_text.max()), int(num_speech.max())
        at = self._begin[rows][:, None] + torch.arange(most_text, device=device)
        phones = speech.cut("phone", rows, 0, FRAMES_PER_TOKEN * most_speech)
        voice = speech.voice[rows]
        first = draw_below(self._num_prompts[voice] - PROMPT_TOKENS + 1)
        prompt = first[:, None] + torch.arange(PROMPT_TOKENS, device=device)
        return Batch(
            self._text[at.clamp_max(len(self._text) - 1)],
            num_text,
            speech.cut(TOKENS, rows, 0, most_speech),
            num_speech,
            phones.reshape(len(rows), most_speech, FRAMES_PER_TOKEN),
            self._prompts[voice[:, None], prompt],
            self._speakers(voice),
            (torch.rand(len(rows), device=device) > NO_TEXT).float(),
        )


def losses_of(model: T3WithPhoneHead, batch: Batch, stop: int) -> tuple[dict[str, Tensor], Tensor]:
    """The losses, and the share of phones that are predicted right."""
    hidden = model.hidden(batch)
    at = torch.arange(hidden.shape[1], device=hidden.device)
    end = batch.num_speech[:, None]
    tokens = F.pad(batch.speech, (0, 1)).masked_fill(at == end, stop)
    phones = F.pad(batch.phones, (0, 0, 0, 1))
    has_phones = (at < end) & (batch.guide[:, None] > 0)
    phones = phones.masked_fill(~has_phones[:, :, None], IGNORED)
    is_predicted = at <= end
    hidden, phones = hidden[is_predicted], phones[is_predicted].flatten()
    logits = model.phones(hidden).reshape(len(phones), -1)
    right = ((logits.argmax(-1) == phones).sum() / (phones != IGNORED).sum()).float()
    losses = {
        "token": F.cross_entropy(model.t3.speech_head(hidden), tokens[is_predicted]),
        "phone": PHONE_WEIGHT * F.cross_entropy(logits, phones, ignore_index=IGNORED),
    }
    return losses, right


@torch.no_grad()
def initialise(t3: T3) -> T3:
    """Small embeddings. Codes that sound alike start alike, in the embedding and in the head."""
    for table in (t3.text_emb, t3.text_pos_emb.emb, t3.speech_pos_emb.emb):
        table.weight.normal_(0, 0.02)
    for table in (t3.speech_emb, t3.speech_head):
        table.weight.normal_(0, 0.005)
        own = digits_of_codec() @ torch.randn(DIGITS, t3.dim)
        table.weight[:NUM_SPEECH_IDS] += 0.02 * own / DIGITS**0.5
    return t3


if __name__ == "__main__":
    main()
