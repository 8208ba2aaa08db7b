"""Accounts: who is using this installation, on which plan, in which time zone."""
