"""Every page of the dashboard, and every form that changes something: a new one is added here."""

from __future__ import annotations

PAGES = [
    "/",
]
"""Addresses that answer 200 to an account with events."""

FORMS = [
    "/sign-out",
]
"""Paths of forms: none may be posted to from elsewhere, or without the page's token."""
