"""The SDK's API client against a real server: every route, every field."""
