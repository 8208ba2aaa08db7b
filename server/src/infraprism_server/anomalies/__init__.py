"""Anomalies: spend that left its band, told once, with reasons."""
