"""Limits: what an entity may spend in a period, told when it nears and when it is reached."""
