"""When an access token ends, as far as it says so. Pure.

SDK hazard 4: the SDK decodes the payload of a JWT with the wrong base64 alphabet (`-` and `_`
crash it) and raises odd errors for opaque tokens and for a missing `exp`. Neither is an error
here: without a known end the token is used until the server refuses it.
"""

import base64
import json
import math
from typing import Any


def seconds_left(token: str, now: float) -> float | None:
    """Seconds until a JWT ends, seen from `now` (Unix time); None if it does not say, or is over.

    A token that has just been issued and is over already means that the clocks differ.
    """
    expiry = _expiry(token)
    if expiry is None or expiry <= now:
        return None
    return expiry - now


def _expiry(token: str) -> float | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    payload = parts[1]
    try:
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        claims: Any = json.loads(text)
    except ValueError:
        return None
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(expiry, bool) or not isinstance(expiry, int | float) or not math.isfinite(expiry):
        return None
    return float(expiry)
