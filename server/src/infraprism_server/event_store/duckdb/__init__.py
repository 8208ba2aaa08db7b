"""The embedded event store: one DuckDB file, one writer."""
