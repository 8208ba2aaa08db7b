"""What `infraprism doctor` says of the SDKs' reports. Pure."""

from __future__ import annotations

from typing import Final

from infraprism_server.doctor_finding import Finding
from infraprism_server.sdk_reports.health import Health

DAYS: Final = 7
_ADVICE: Final = {
    "queue_full": "queue_full: the server was away or too slow for their queues",
    "at_exit": "at_exit: processes ended before the server answered; flush() waits on purpose",
    "rejected": "rejected: the server found them wrong; is the SDK newer than the server?",
}


def finding(health: Health) -> Finding:
    """One line over all accounts; a warning where events were lost."""
    total = health.total
    if not total.reports:
        return Finding("sdk", "ok", f"no SDK has reported in {DAYS} days")
    versions = sorted({version for version, _, _ in health.versions})
    shown = ", ".join(versions[:5]) + (", …" if len(versions) > 5 else "")
    text = (
        f"{DAYS} days: {total.sent:,} events sent by SDK {shown}; "
        f"{total.dropped_events:,} dropped{_by_name(total.dropped)}"
    )
    if total.fields_dropped:
        text += f"; fields left out{_by_name(total.fields_dropped)}"
    if not total.dropped_events:
        return Finding("sdk", "ok", text)
    known = [advice for reason, advice in _ADVICE.items() if total.dropped.get(reason)]
    return Finding("sdk", "warn", text, "; ".join(known) or "GET /v1/sdk/health has them by day")


def _by_name(counts: dict[str, int]) -> str:
    highest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:5]
    return f" ({', '.join(f'{name} {count:,}' for name, count in highest)})" if highest else ""
