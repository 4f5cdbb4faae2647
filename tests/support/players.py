"""A player that has heard an answer."""

from loadtests.playback import Player


def player_of(first_s, audio_s, late_s=0.0, told_s=None):
    """Its second half comes `late_s` too late for a player that does not wait."""
    player = Player()
    player.tell(told_s)
    player.feed(first_s, audio_s / 2)
    player.feed(first_s + audio_s / 2 + late_s, audio_s / 2)
    return player
