"""What every test has in common."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine is no counterexample
settings.load_profile("untimed")

pytest_plugins = ["tests.support.budgets"]
