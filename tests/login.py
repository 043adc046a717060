"""Logins at a server: as a target's `runai` states one, and that of somebody else."""

import json
import urllib.error
import urllib.parse
import urllib.request

from reconciler.sandbox import Endpoint


def runai(endpoint: Endpoint) -> dict[str, str]:
    """A target's `runai` for a sandbox."""
    return {
        "base_url": endpoint.base_url,
        "client_id": endpoint.client_id,
        "client_secret": endpoint.client_secret.get_secret_value(),
    }


def log_in(endpoint: Endpoint) -> str:
    """An access token, at a server of any version: by the OAuth form, or else by the oldest way."""
    name, secret = endpoint.client_id, endpoint.client_secret.get_secret_value()
    form = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
    try:
        answer = _post(endpoint.base_url + "/api/v2/token", urllib.parse.urlencode(form))
    except urllib.error.HTTPError:
        old = {"grantType": "app_token", "appID": name, "appSecret": secret}
        return str(_post(endpoint.base_url + "/api/v1/token", json.dumps(old))["accessToken"])
    return str(answer["access_token"])


def _post(url: str, text: str) -> dict[str, object]:
    with urllib.request.urlopen(url, data=text.encode(), timeout=30) as answer:
        found: dict[str, object] = json.loads(answer.read())
        return found
