"""Usage: sums over any filter, group and interval."""
