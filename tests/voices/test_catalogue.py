"""A name means one voice: a voice's own name wins over an alias."""

from dataclasses import replace

import pytest

from app.core import VoiceKind, VoiceRef
from app.errors import ConfigError
from app.voices.catalogue import OPENAI_VOICES, VoiceCatalogue
from app.voices.vendor_names import VENDOR_VOICES
from tests.support.fakes import ENGLISH


def catalogue(aliases=None, **card):
    return VoiceCatalogue(lambda: replace(ENGLISH, **card), aliases or {})


def test_each_of_openais_thirteen_names_means_a_voice():
    found = {catalogue().find(name).ref.name for name in OPENAI_VOICES}
    assert len(OPENAI_VOICES) == 13
    assert found == set(ENGLISH.voices)


def test_an_operators_alias_wins_over_openais():
    assert catalogue({"nova": "anna", "boss": "anna"}).find("nova").name == "anna"
    assert catalogue({"nova": "anna", "boss": "anna"}).find("boss").name == "anna"


def test_a_voices_own_name_wins_over_an_alias():
    named = catalogue({"alloy": "anna"}, voices=("anna", "alloy"))
    assert named.find("alloy").name == "alloy"


def test_aliases_are_listed_with_their_voice():
    (anna,) = [voice for voice in catalogue({"boss": "anna"}).named() if voice.id == "anna"]
    assert "boss" in anna.aliases


def test_an_alias_of_an_unknown_voice_stops_the_start():
    with pytest.raises(ConfigError, match=r"voice_aliases\.boss"):
        catalogue({"boss": "nobody"})


def test_the_voices_of_other_vendors_are_dealt_out_unless_the_operator_says_otherwise():
    made = catalogue()
    dealt = [made.find(name).name for name in VENDOR_VOICES]
    assert set(dealt) == {made.find(name).name for name in OPENAI_VOICES}
    assert not set(VENDOR_VOICES) & {alias for voice in made.named() for alias in voice.aliases}
    last = ENGLISH.voices[-1]
    told = VoiceCatalogue(lambda: ENGLISH, {VENDOR_VOICES[0]: last})
    assert told.find(VENDOR_VOICES[0]).name == last


def test_an_unknown_name_is_not_found():
    assert catalogue().find("nobody") is None


def test_a_reference_says_where_the_stages_find_the_voice():
    voices = catalogue(voices=("anna", "ben"), recorded_voices=("ben",))
    assert voices.find("anna").ref == VoiceRef("anna", VoiceKind.BUILT_IN)
    assert voices.find("ben").ref == VoiceRef("ben", VoiceKind.RECORDED)
