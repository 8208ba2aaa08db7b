"""Names of the environment variables that runner.py hands to hooks.py in another process."""

OWN_KEY = "INFRAPRISM_TEST_OWN_KEY"
"""Text of the key the requests are made with."""
OWN_KEY_ID = "INFRAPRISM_TEST_OWN_KEY_ID"
"""Its id: it must not be deleted on the way."""
