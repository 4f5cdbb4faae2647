import pytest

from app.errors import ConfigError
from app.hearing.hearing import open_hearing
from app.hearing.pocketsphinx_recogniser import PocketsphinxRecogniser
from app.hearing.recogniser import MAKERS, load_maker
from app.hearing.sidecar_host import SidecarHost
from app.hearing_settings import HearingSettings, RecogniserName


async def test_a_sidecar_is_asked_when_a_call_comes():
    hearing = await open_hearing(HearingSettings(host="sidecar", sidecar_url="ws://127.0.0.1:1"))
    assert isinstance(hearing.host, SidecarHost)
    await hearing.aclose()


async def test_processes_are_started_for_the_calls_that_will_come():
    hearing = await open_hearing(HearingSettings(num_warm=0))
    assert hearing.host.pids == []
    await hearing.aclose()


def test_every_recogniser_of_the_configuration_is_known():
    assert set(MAKERS) == set(RecogniserName.__args__)
    assert load_maker(MAKERS["pocketsphinx"]) is PocketsphinxRecogniser


def test_a_recogniser_whose_library_is_missing_is_told():
    with pytest.raises(ConfigError, match="No module named"):
        load_maker("app.hearing.nowhere:Recogniser")
