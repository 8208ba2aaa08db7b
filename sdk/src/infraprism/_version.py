"""The version of this distribution, as reports to the server carry it."""

__version__ = "0.1.0"
