"""API keys: made once, shown once, stored as a hash, scoped, deleted within a second."""
