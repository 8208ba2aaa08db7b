"""Events: one LLM call each, ingested, listed and explained."""
