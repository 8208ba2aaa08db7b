"""Another account's objects: every page and every form answers as if they did not exist."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from contract_tests.dashboard.browser import session_cookie
from contract_tests.dashboard.pages import FORMS, PAGES
from contract_tests.harness.server_process import ServerProcess, TestAccount

KINDS = {
    "/alerts/planned/": "planned",
    "/alerts/": "anomaly",
    "/limits/": "limit",
    "/webhooks/": "webhook",
    "/keys/": "key",
    "/exports/": "export",
    "/prices/repricings/": "repricing",
    "/prices/": "price",
}
"""What `any` in the path of a form stands for, by how the path begins; the first that fits."""
STORED = {
    "anomaly": "/v1/anomalies/{}",
    "limit": "/v1/limits/{}",
    "webhook": "/v1/webhooks/{}",
    "export": "/v1/exports/{}",
}


def test_another_accounts_objects_are_neither_shown_nor_changed(
    server: ServerProcess,
    account_b: TestAccount,
    shown_account: TestAccount,
    shown_ids: dict[str, str],
) -> None:
    client = server.client()
    owner = server.client(shown_account)
    before = {kind: owner.get(path.format(shown_ids[kind])).json() for kind, path in STORED.items()}
    cookie = {"Cookie": f"infraprism_session={session_cookie(server, account_b)}"}
    pages = [path.format(**shown_ids) for path in PAGES if "{" in path]
    assert len(pages) >= 4
    for path in pages:
        answer = client.request("GET", path, headers={"Accept": "text/html", **cookie})
        assert answer.status == 404, path
    page = client.request("GET", "/keys", headers=cookie).body.decode()
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert found is not None
    form = urlencode({"csrf": found[1], "status": "resolved", "enabled": "false", "amount": "1"})
    sent = {
        **cookie,
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": client.url,
        "Sec-Fetch-Site": "same-origin",
    }
    forms = [path for path in FORMS if "/any" in path]
    assert len(forms) >= 14
    for path in forms:
        kind = next(kind for begins, kind in KINDS.items() if path.startswith(begins))
        theirs = path.replace("/any", f"/{shown_ids[kind]}", 1)
        answer = client.request("POST", theirs, form.encode(), sent)
        assert answer.status == 404, theirs
    after = {kind: owner.get(path.format(shown_ids[kind])).json() for kind, path in STORED.items()}
    for kind in ("anomaly", "webhook"):
        assert after[kind] == before[kind]
    assert after["limit"]["amount"] == before["limit"]["amount"]
    keys = [key["id"] for key in owner.get("/v1/api-keys").json()["data"]]
    assert shown_ids["key"] in keys
    assert after["export"]["id"] == shown_ids["export"]
    client.close()
    owner.close()
