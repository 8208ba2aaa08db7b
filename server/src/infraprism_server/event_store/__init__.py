"""The event store: one contract, a package per engine; the only room with raw SQL."""
