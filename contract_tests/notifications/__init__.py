"""Webhooks and exports as a user meets them: a real server, real HTTP, kills."""
