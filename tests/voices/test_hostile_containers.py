"""Each hostile variant of a container has its outcome, in the bounded process alone."""

import io
import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.voices.decoder import Purpose
from app.voices.decoder_process import CALLERS, MEMORY_BYTES
from tests.support import measured_decoder
from tests.support.hostile_containers import bases, hostile_containers
from tests.support.hostile_uploads import GOOD, HOSTILE, RATE, encoded
from tests.support.measured_decoder import decode_measured
from tests.voices.test_sound_file import envelope

log = logging.getLogger(__name__)

OUTCOMES = Path(__file__).with_name("hostile_outcomes.json")  # by sender
WHOLE, MOST = "is taken whole", "is taken but for an end"
REFUSALS = {
    "is no file that can be read": r"is no WAV, .* file that can be read",
    "has no sound": "has no sound",
    "has no sound that can be read": "has no sound that can be read",
    "is too short": r"is [0-4]\.\d\d s long; it must have 5 s of speech",
    "has too little speech": r"has [0-4]\.\d s of speech within 10 s of its first word; .*",
    "is silent": "is silent, or has no speech that is louder than its noise",
    "is too long": "is longer than 90 s",
    "has too many channels": r"has \d+ channels; it must have one or two",
    "has too high a rate": "has 384000 Hz; it must have 8000 to 96000 Hz",
    "is not finite": "has samples that are not finite numbers",
    "is too loud": "has samples far above full scale",
    "is clipped": "is clipped",
    "needs too much memory": "needs too much memory",
}
PARTS = 17  # of the corpus; the first one is in `make test`
USUAL_BYTES = 512 * 2**20  # resident, of any hostile file


@cache
def corpus():
    return tuple(hostile_containers())


def expected():
    table = json.loads(OUTCOMES.read_text())
    return {
        (sender, variant): outcome
        for sender, outcomes in table.items()
        for outcome, variants in outcomes.items()
        for variant in variants.split("; ")
    }


def outcome_of(decoded):
    """Its name in the table. What is taken must sound as the recording of which it was made."""
    if isinstance(decoded, str):
        names = [name for name, words in REFUSALS.items() if re.fullmatch(words, decoded)]
        return names[0] if names else decoded
    wav, rate = soundfile.read(io.BytesIO(decoded.sound), dtype="float32")
    assert rate == RATE
    assert 5 * RATE <= len(wav) < 6.2 * RATE
    for at in (RATE // 2, len(wav) - 5 * RATE // 2):
        assert _is_of_recording(wav[at : at + 2 * RATE], at)
    return WHOLE if len(wav) > 5.9 * RATE else MOST


def _is_of_recording(part, at):
    """Where files were joined there is a gap, and a frame may be lost: by at most 0.3 s."""
    shifts = range(at - 3 * RATE // 10, at + 3 * RATE // 10, RATE // 100)
    likeness = [
        np.corrcoef(envelope(part), envelope(GOOD[shifted : shifted + len(part)]))[0, 1]
        for shifted in shifts
        if shifted + len(part) <= len(GOOD)
    ]
    return max(likeness) > 0.95


def measured(contents):
    """Two processes at a time, as in an ingress."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda content: decode_measured(content, Purpose.UPLOAD), contents))


def assert_bounded(measures):
    assert {each.limit for each in measures} == {MEMORY_BYTES[CALLERS]}
    for each in measures:  # a process that died would tell nothing
        assert 0 < each.resident <= USUAL_BYTES
        assert each.resident < each.address_space <= each.limit
    largest = max(each.resident for each in measures) / 2**20
    address_space = max(each.address_space for each in measures) / 2**20
    log.info("%d files: resident %.0f MiB at most", len(measures), largest)
    log.info("address space %.0f MiB at most", address_space)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(part, marks=pytest.mark.long if part else pytest.mark.full)
        for part in range(PARTS)
    ],
)
def test_each_variant_has_its_outcome_within_the_bound_of_memory(part):
    variants, wanted = corpus()[part::PARTS], expected()
    measures = measured(content for _, _, content in variants)
    wrong = [
        (sender, variant, found)
        for (sender, variant, _), each in zip(variants, measures, strict=True)
        if (found := outcome_of(each.outcome)) != wanted[sender, variant]
    ]
    assert not wrong
    assert_bounded(measures)


@pytest.mark.long
def test_each_hostile_file_is_within_the_bound_of_memory():
    measures = measured(content for _, content, _ in HOSTILE)
    assert not [name for (name, *_), each in zip(HOSTILE, measures, strict=True) if not each.limit]
    assert_bounded(measures)


def test_a_file_that_needs_more_memory_is_refused_and_the_process_stays_within_its_bound(
    monkeypatch,
):
    """The control of the measure: samples of the operator's limits, decoded as a caller's."""
    minutes = encoded(np.zeros(290 * 96_000 * 2, np.float32).reshape(-1, 2), 96_000)
    code = "from app.voices.decoder_process import MEMORY_BYTES, OPERATORS\n"
    code += "MEMORY_BYTES[OPERATORS] = 1 << 30\n"
    monkeypatch.setattr("tests.support.measured_decoder.MEASURED", code + measured_decoder.MEASURED)
    each = decode_measured(minutes, Purpose.WHOLE)
    assert each.outcome == "needs too much memory"
    assert USUAL_BYTES < each.resident < each.limit == 1 << 30


@pytest.mark.full
def test_the_table_has_every_variant_and_each_sender_is_taken_as_it_is():
    wanted = expected()
    assert set(wanted) == {(sender, variant) for sender, variant, _ in corpus()}
    assert len(wanted) > 500
    assert {wanted[sender, "whole"] for sender in bases(GOOD)} == {WHOLE}
