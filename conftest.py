"""What holds for the tests of every part."""

from hypothesis import settings

# Nothing is timed in the tests: on a busy machine an example takes as long as it takes.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
