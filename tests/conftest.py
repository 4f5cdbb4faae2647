"""What every test has in common."""

from hypothesis import settings

# No deadline: a busy machine is no counterexample. `make test` draws the same examples each time:
# it judges the change that it tests. `make test-long` draws others, and more of them.
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None, max_examples=1000)
settings.load_profile("fixed")

pytest_plugins = ["tests.support.budgets"]
