"""Events are never lost and never doubled."""
