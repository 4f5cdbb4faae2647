"""Stage 4: T3 learns which tokens a text is.

    python -m training.t3 --minutes 120

The sequence is that of inference: voice, text between its start and stop, the start token twice at
position 0, then speech. A tenth of the rows have no text, for guidance. From the same hidden state
the two phones of the next token are told by a layer that is thrown away: it makes the text and the
speech find one another in minutes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS
from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.tokenizer import EnglishTokenizer
from training.fit import Schedule, fit
from training.model import read_model
from training.options import options
from training.speech import Buckets, Speech
from training.teach import PHONES
from training.texts import save_letter_tokenizer
from training.tokenizer import DIGITS, digits_of_codec
from training.voices import Voices

ROWS = 16
RATE, WEIGHT_DECAY = 1e-3, 0.05
NO_TEXT = 0.1  # of the rows
EASY_SHARE, EASY_TOKENS = 0.1, 60  # of the steps see short utterances alone
PHONE_WEIGHT = 0.5
PROMPT_TOKENS = 150
EXAGGERATION = 0.5
IGNORED = -100
START, STOP = 255, 0  # of a text; T3Spec's


class Learner(nn.Module):
    def __init__(self, t3: nn.Module) -> None:
        super().__init__()
        self.t3 = t3
        self.phones = nn.Linear(t3.dim, FRAMES_PER_TOKEN * len(PHONES))

    def hidden(self, rows: list["Row"]) -> tuple[Tensor, list[slice]]:
        """(rows, longest, dim), and where each row's predictions of speech are."""
        t3, hp = self.t3, self.t3.hp
        prompts = torch.stack([row.prompt for row in rows])
        heard = t3.speech_emb(prompts) + t3.speech_pos_emb(prompts)
        encoder = t3.cond_enc
        voice = encoder.spkr_enc(torch.stack([row.speaker for row in rows]))[:, None]
        emotion = encoder.emotion_adv_fc(torch.full((len(rows), 1, 1), EXAGGERATION))
        voices = torch.cat([voice, encoder.perceiver(heard), emotion], 1)
        start = torch.tensor([hp.start_speech_token])
        begun = t3.speech_emb(start) + t3.speech_pos_emb.get_fixed_embedding(0)[0]
        embedded, spans = [], []
        for row, known in zip(rows, voices, strict=True):
            text = t3.text_emb(row.text) * row.guide + t3.text_pos_emb.emb.weight[: len(row.text)]
            positions = t3.speech_pos_emb.emb.weight[1 : len(row.speech) + 1]
            speech = t3.speech_emb(row.speech) + positions
            embedded.append(torch.cat([known, text, begun, begun, speech]))
            end = len(embedded[-1])
            spans.append(slice(end - len(speech) - 1, end))
        inputs = pad_sequence(embedded, batch_first=True)
        return t3.tfmr(inputs_embeds=inputs, use_cache=False).last_hidden_state, spans


class Row:
    def __init__(self, text: Tensor, speech: Tensor, phones: Tensor, speaker: Tensor) -> None:
        self.text = text  # with its start and stop
        self.speech = speech  # (tokens,)
        self.phones = phones  # (tokens, 2)
        self.speaker = speaker  # (256,)
        self.prompt = torch.empty(0)  # (150,)
        self.guide = 1.0


def main() -> None:
    given = options("t3", minutes=120.0, steps=16000)
    torch.set_num_threads(given.processes)
    speech, voices = Speech(given.folder), Voices.read(given.folder)
    torch.manual_seed(given.seed)
    spec = read_model()
    learner = Learner(begun(build_t3(spec.t3)))
    save_letter_tokenizer(given.folder, spec)
    rows = Rows(speech, voices, EnglishTokenizer(given.folder / "tokenizer.json"))
    stop = spec.t3.stop_speech_token
    short = [i for i in speech.trained() if speech.num_tokens(i) <= EASY_TOKENS]
    easy = Buckets(speech, short, ROWS, given.seed)
    every = Buckets(speech, speech.trained(), ROWS, given.seed)
    checked = [rows.row(i) for i in speech.checked()[:96]]

    def losses(step: int) -> dict[str, Tensor]:
        buckets = easy if step < EASY_SHARE * given.steps else every
        return compared(learner, [rows.row(i) for i in buckets[step]], stop)[0]

    @torch.no_grad()
    def check() -> dict[str, float]:
        sums: dict[str, float] = {}
        parts = [checked[at : at + ROWS] for at in range(0, len(checked), ROWS)]
        for part in parts:
            for row in part:
                row.guide = 1.0
            told, right = compared(learner, part, stop)
            for name, value in {**told, "right": right}.items():
                sums[f"checked_{name}"] = sums.get(f"checked_{name}", 0.0) + float(value)
        return {name: value / len(parts) for name, value in sums.items()}

    schedule = Schedule(given.steps, RATE, WEIGHT_DECAY, given.minutes)
    fit(given.folder, "t3", learner, schedule, losses=losses, check=check)


class Rows:
    """Utterances as T3 sees them; draws prompts and what is left out from torch's generator."""

    def __init__(self, speech: Speech, voices: Voices, tokenizer: EnglishTokenizer) -> None:
        self._speech, self._voices, self._tokenizer = speech, voices, tokenizer
        self._said = {
            voice: torch.cat([speech.tokens(i) for i in speech.trained(voice)[:500]])
            for voice in speech.voices
        }

    def row(self, index: int) -> Row:
        utterance = self._speech.utterances[index]
        ids = self._tokenizer.encode(utterance.text, None)
        phones = self._speech.phones(index).reshape(-1, FRAMES_PER_TOKEN)
        row = Row(
            torch.tensor([START, *ids, STOP]),
            self._speech.tokens(index),
            phones,
            self._voices.t3_speaker(utterance.voice),
        )
        said = self._said[utterance.voice]
        first = int(torch.randint(len(said) - PROMPT_TOKENS, ()))
        row.prompt = said[first : first + PROMPT_TOKENS]
        row.guide = float(torch.rand(()) > NO_TEXT)
        return row


def compared(learner: Learner, rows: list[Row], stop: int) -> tuple[dict[str, Tensor], Tensor]:
    """The losses, and the share of phones that are told rightly."""
    hidden, spans = learner.hidden(rows)
    predicting = torch.cat([hidden[at, span] for at, span in enumerate(spans)])
    ended = torch.tensor([stop])
    targets = torch.cat([torch.cat([row.speech, ended]) for row in rows])
    nothing = torch.full((1, FRAMES_PER_TOKEN), IGNORED)
    phones = torch.cat([torch.cat([row.phones, nothing]) for row in rows]).flatten()
    told = learner.phones(predicting).reshape(len(phones), -1)
    has_text = torch.cat([torch.full((len(row.speech) + 1,), row.guide) for row in rows])
    phones = torch.where(has_text.repeat_interleave(FRAMES_PER_TOKEN) > 0, phones, IGNORED)
    known = phones != IGNORED
    right = (told.argmax(-1) == phones)[known].float().mean()
    losses = {
        "token": F.cross_entropy(learner.t3.speech_head(predicting), targets),
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
