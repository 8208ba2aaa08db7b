"""The embedded event store: one DuckDB file, one writer, any number of readers in one process."""
