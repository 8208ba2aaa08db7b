"""Pricing: what a call costs, by which rates, and why."""
