"""Runs a Flask view only for the holder of a live session, by asking auth-service.

Needs urllib3, 1.26 or 2.
"""

import json
import os
import re
from functools import wraps

import urllib3
from flask import current_app, g, request

VERIFY = os.environ.get("AUTH_URL", "http://127.0.0.1:3000").rstrip("/") + "/verify"
CREDENTIALS = re.compile(r"(?:bearer|jwt) +([^\s,]+) *", re.IGNORECASE)
REASONS = {"token_invalid", "token_expired", "session_superseded", "session_ended", "user_disabled"}

# Connections are kept alive and shared by all threads. The service answers within half a second.
POOL = urllib3.PoolManager(maxsize=32, timeout=urllib3.Timeout(total=1.0), retries=False)


def requires_session(view):
    """Asks for every request and caches nothing, so that a logout counts in the next request.

    The view gets `g.user_id` and `g.session_id`. All other callers get 401 with the reason, or 503
    if the service cannot tell: on 503 a caller keeps its token.
    """

    @wraps(view)
    def guarded(*args, **kwargs):
        return refuse_unless_live() or view(*args, **kwargs)

    return guarded


def refuse_unless_live():
    shown = CREDENTIALS.fullmatch(request.headers.get("Authorization", ""))
    if not shown:
        return refuse(401, "token_missing", "Send exactly one token.", {"WWW-Authenticate": 'Bearer realm="auth"'})
    try:
        answer = POOL.request(
            "POST",
            VERIFY,
            body=json.dumps({"token": shown[1]}),
            headers={"Content-Type": "application/json"},
            redirect=False,
        )
        verdict = json.loads(answer.data)
        if answer.status == 200:
            g.user_id, g.session_id = verdict["data"]["user_id"], verdict["data"]["payload"]["jti"]
            return None
        if answer.status == 401 and verdict["error"] in REASONS:
            challenge = {"WWW-Authenticate": answer.headers["WWW-Authenticate"]}
            return refuse(401, verdict["error"], verdict["msg"], challenge)
        why = f"status {answer.status}"
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
        why = type(error).__name__
    # Any other answer says nothing about the token.
    current_app.logger.warning("session not checked: %s", why)
    return refuse(503, "temporarily_unavailable", "Try again in a second.", {"Retry-After": "1"})


def refuse(status, error, msg, headers):
    return {"code": status, "error": error, "msg": msg}, status, {"Cache-Control": "no-store", **headers}
