"""Who may do what, and what nobody else ever sees."""
