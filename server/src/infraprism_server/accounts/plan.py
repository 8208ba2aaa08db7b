"""Plans, and how many requests a minute each allows."""

from __future__ import annotations

from infraprism_server.errors import InvalidRequest

ENTERPRISE = "enterprise"
REQUESTS_PER_MINUTE = {"free": 60, "growth": 300, "scale": 1_000}
PLANS = (*REQUESTS_PER_MINUTE, ENTERPRISE)
MAX_REQUESTS_PER_MINUTE = 100_000_000


def requests_per_minute(plan: str, own_rate: int | None) -> int:
    """Requests a minute of a plan; enterprise has a number of its own on the account."""
    if plan == ENTERPRISE:
        if own_rate is None:
            raise ValueError("an enterprise account has a rate of its own")
        return own_rate
    return REQUESTS_PER_MINUTE[plan]


def check_plan(plan: str, own_rate: int | None) -> None:
    """InvalidRequest unless there is such a plan and the rate belongs to it.

    `own_rate` is requests a minute: required for enterprise, refused for the others.
    """
    if plan not in PLANS:
        raise InvalidRequest(f"Unknown plan '{plan[:40]}'; use one of {', '.join(PLANS)}", "plan")
    if plan == ENTERPRISE:
        if own_rate is None:
            raise InvalidRequest(
                "An enterprise account needs its requests a minute; add --rate-limit N",
                "rate_limit",
            )
        if not 1 <= own_rate <= MAX_REQUESTS_PER_MINUTE:
            raise InvalidRequest(
                f"The rate limit is from 1 to {MAX_REQUESTS_PER_MINUTE:,} requests a minute",
                "rate_limit",
            )
    elif own_rate is not None:
        raise InvalidRequest(
            f"Only enterprise has a rate limit of its own; {plan} allows "
            f"{REQUESTS_PER_MINUTE[plan]} requests a minute",
            "rate_limit",
        )
