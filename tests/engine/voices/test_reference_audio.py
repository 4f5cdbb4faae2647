"""What an unusable recording is told is tested with enrolment, which refuses the same."""

import pytest

from app.engine.voices.reference_audio import load_reference
from app.errors import BadRequest, ConfigError


def test_what_is_no_sound_file_is_refused_by_its_path(tmp_path):
    path = tmp_path / "ann.wav"
    with pytest.raises(ConfigError, match="No such file") as missing:
        load_reference(path)
    assert str(path) in missing.value.message
    path.write_text("not a sound")
    with pytest.raises(BadRequest, match="not a sound file") as garbage:
        load_reference(path)
    assert str(path) in garbage.value.message
