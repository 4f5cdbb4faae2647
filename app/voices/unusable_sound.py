"""The refusal of a sound file or a recording."""


class UnusableSound(Exception):
    """The message continues "the recording …"."""
