"""What all routes share: authentication, rate limits, paging, errors, idempotency, OpenAPI."""
