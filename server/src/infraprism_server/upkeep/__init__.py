"""What keeps an installation well for years: retention, erasure, compaction, backup, restore.

Owns the jobs that do these and the commands that ask for them. What is deleted where is known by
the stores: event_store/lasting.py and control_store/erasure.py.
"""
