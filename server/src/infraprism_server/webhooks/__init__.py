"""Webhooks: endpoints, what they subscribe to, and deliveries that arrive."""
