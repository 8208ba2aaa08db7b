"""Exports: events as files, made in the background, fetched by a signed link."""
