"""The SDK against a real server process: what was called is what is stored."""
