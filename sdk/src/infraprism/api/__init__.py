"""The typed client of the REST API: written once, sent in two ways (see `sdk/make_async.py`)."""
