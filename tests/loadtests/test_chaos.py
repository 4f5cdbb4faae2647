"""The parts of chaos that need no server of its own: the order of the faults, the callers and their
comparison, what is held, and the configuration."""

import signal
import subprocess
import sys

import psutil
import pytest

from deployments.config_check import check_config
from loadtests.chaos import all_faults, config, in_drawn_order, little_room
from loadtests.chaos_callers import OTHER_LENGTH, difference
from loadtests.clock_fault import JUMP_S, ClockJump
from loadtests.faults import FullDisk, Redeployed, Signalled
from loadtests.victim import Part, Victim
from tests.support.eventually import eventually_sync

SOUND = b"\1\0\2\0\3\0"


def victim_of(**changed: object) -> Victim:
    given = {"bench": None, "application": "app", "list_processes": tuple}
    return Victim(**{**given, "attackers_environment": {}, **changed})


def names(faults, seed, num):
    order = in_drawn_order(faults, seed)
    return [next(order).name for _ in range(num)]


def test_at_least_fourteen_faults_come_once_before_one_comes_again():
    faults = all_faults(jumps_clock=False)
    assert len({fault.name for fault in faults}) == len(faults) >= 14
    drawn = names(faults, 1, 2 * len(faults))
    assert len(set(drawn[: len(faults)])) == len(faults)
    assert drawn == names(faults, 1, 2 * len(faults))
    assert drawn != names(faults, 2, 2 * len(faults))


def test_the_config_of_the_server_has_no_fault(tmp_path):
    check_config(config(tmp_path))


@pytest.mark.parametrize(
    ("sound", "is_whole", "expected"),
    [
        (SOUND, True, 0),
        (b"\1\0\5\0\3\0", True, 3),
        (SOUND[:4], True, OTHER_LENGTH),
        (SOUND[:4], False, 0),  # cut: compared with the begin
        (SOUND[:5], False, 0),  # within a sample
        (SOUND + b"\0\0", False, OTHER_LENGTH),
        (b"", False, None),
    ],
)
def test_sounds_are_compared_by_samples(sound, is_whole, expected):
    assert difference(sound, SOUND, is_whole) == expected


def test_a_process_is_stopped_goes_on_and_is_killed():
    command = [sys.executable, "-c", "import time; time.sleep(600)", "ray::Registry"]
    with subprocess.Popen(command) as process:
        found = psutil.Process(process.pid)

        class Titled:
            """The process under the title that Ray would give it."""

            send_signal = staticmethod(found.send_signal)

            def cmdline(self):
                return ["ray::Registry.poll", ""]

        victim = victim_of(list_processes=lambda: [Titled()])
        stop, kill = Signalled(Part.REGISTRY, False), Signalled(Part.REGISTRY, True)
        assert stop.missing(victim) is None
        assert Signalled(Part.T3, True).missing(victim) == "no process is a T3"
        stop.inflict(victim)
        eventually_sync(lambda: found.status() == psutil.STATUS_STOPPED, 20, "it is stopped")
        stop.undo(victim)
        eventually_sync(lambda: found.status() == psutil.STATUS_SLEEPING, 20, "it goes on")
        kill.inflict(victim)
        assert process.wait(20) == -signal.SIGKILL
        kill.undo(victim)  # of a process that is gone


def test_a_clock_jumps_only_where_that_is_asked_for_and_possible():
    set_to = []
    assert "--jump-clock" in ClockJump(False, set_to.append).missing(victim_of())
    assert set_to == []

    def refuse(now_s):
        raise PermissionError

    assert "does not let" in ClockJump(True, refuse).missing(victim_of())
    jump = ClockJump(True, set_to.append)
    assert jump.missing(victim_of()) is None
    jump.inflict(victim_of())
    jump.undo(victim_of())
    assert set_to[1] - set_to[0] == pytest.approx(JUMP_S, abs=60)
    assert set_to[0] - set_to[2] == pytest.approx(JUMP_S, abs=60)


class Uploading(Victim):
    """Stores a file where there is room, as the server does."""

    is_careless = False

    def start_upload(self):
        assert self.uploads is not None
        try:
            (self.uploads / "voice.partial").write_bytes(bytes(4096))
            (self.uploads / "voice.partial").rename(self.uploads / "voice")
            self._uploaded = "voice"
        except OSError:
            self._uploaded = None
            if not self.is_careless:
                (self.uploads / "voice.partial").unlink()

    def end_upload(self):
        return self._uploaded


@pytest.mark.parametrize("is_careless", [False, True])
def test_a_full_disk_refuses_an_upload_and_has_room_afterwards(tmp_path, is_careless):
    with little_room(tmp_path / "uploads") as has_room:
        if not has_room:
            pytest.skip("mounting needs a right that this user lacks")
        victim = Uploading(None, "app", tuple, {}, uploads=tmp_path / "uploads")
        victim.is_careless = is_careless
        fault = FullDisk()
        assert fault.missing(victim) is None
        fault.inflict(victim)
        fault.undo(victim)
        assert fault.wrong(victim) == (["partial file: voice.partial"] if is_careless else [])
        victim.start_upload()
        assert victim.end_upload() == "voice"
    assert list((tmp_path / "uploads").iterdir()) == []
    assert FullDisk().missing(victim_of()) is not None


def test_an_upload_that_a_full_disk_accepts_is_told(tmp_path):
    victim = Uploading(None, "app", tuple, {}, uploads=tmp_path)
    (tmp_path / "ballast").write_bytes(b"")  # a disk that is not full
    victim.start_upload()
    fault = FullDisk()
    fault.undo(victim)
    assert fault.wrong(victim) == ["an upload was accepted by a full disk"]


def test_a_fault_that_needs_a_server_of_its_own_says_so():
    assert Redeployed().missing(victim_of()) == "the server is another's"
    assert Signalled(Part.ENROLLER, True).missing(victim_of()) == "the server takes no uploads"
