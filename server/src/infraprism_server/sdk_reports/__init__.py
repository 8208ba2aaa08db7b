"""What the SDKs say became of the calls they saw: queued, sent, or dropped and why.

Owns the counts by day, version and runtime, and what is told of them. Knows no call: those are the
events' own.
"""
