"""A name means one voice, its own before any alias."""

from dataclasses import replace

import pytest

from app.errors import ConfigError, NotFound
from app.voices.catalogue import OPENAI_VOICES, VoiceCatalogue
from tests.support.fakes import ENGLISH


def catalogue(aliases=None, **card):
    return VoiceCatalogue(lambda: replace(ENGLISH, **card), aliases or {})


def test_there_are_thirteen_names_of_openai_and_each_means_a_voice():
    found = {catalogue().find(name).voice for name in OPENAI_VOICES}
    assert len(OPENAI_VOICES) == 13
    assert found == set(ENGLISH.voices)


def test_an_operators_alias_wins_over_the_dealt_one():
    assert catalogue({"nova": "anna", "boss": "anna"}).find("nova").voice == "anna"
    assert catalogue({"nova": "anna", "boss": "anna"}).find("boss").voice == "anna"


def test_a_voices_own_name_wins_over_an_alias():
    named = catalogue({"alloy": "anna"}, voices=("anna", "alloy"))
    assert named.find("alloy").voice == "alloy"


def test_aliases_are_listed_with_their_voice():
    (anna,) = [voice for voice in catalogue({"boss": "anna"}).named() if voice.id == "anna"]
    assert "boss" in anna.aliases


def test_an_alias_of_nobody_stops_the_start():
    with pytest.raises(ConfigError, match=r"voice_aliases\.boss"):
        catalogue({"boss": "nobody"})


def test_a_name_of_nobody_is_not_found():
    with pytest.raises(NotFound):
        catalogue().find("nobody")
