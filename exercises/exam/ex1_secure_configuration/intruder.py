"""What an intruder does: tries tokens, calls from foreign origins, and looks for secrets wherever they might show."""

import asyncio
import json
import re
import time
from collections.abc import Coroutine, Mapping, Sequence
from string import Template
from typing import Any

from chaos.history import Answer, Failure
from exercises.exam.ex1_secure_configuration import axes, forgeries, starts
from exercises.exam.ex1_secure_configuration.axes import ASK, ASK_AGAIN, LOGIN, NOWHERE, Place
from lab.lab import Lab

MOST_LISTED_PAGES = 40
MOST_FILLED_PAGES = 10
ASKED_BEFORE = 2
"""So often a prompt is asked that a cache may have the answer to when an intruder asks for it."""
PATIENCE = 8.0
QUICK, SLOW = 20, 6
"""So many requests are sent at once; where there are logins among them, which may cost a service a lot, fewer."""
_PREFLIGHT = {"access-control-request-headers": "authorization,content-type"}
_PARAMETER = re.compile(r"\{[^{}]*\}")
# With a cookie, for some servers show only then that they let every origin in.
_COOKIE = {"cookie": "session=1"}


async def intrude(lab: Lab) -> None:
    """Do it all, as somebody with an account."""
    await _try_tokens(lab)
    await _try_logins(lab)
    await _try_origins(lab)
    await _look_around(lab)
    await _log_in_oddly(lab)


async def _try_tokens(lab: Lab) -> None:
    user_token = await lab.login("user")
    for label, token in (("real token", lab.token), ("real token: user", user_token)):
        await _call(lab, ("GET", "me"), label=label, token=token)
    for name, place in lab.vary(axes.PROTECTED):
        if place[1] not in {"me", ASK, ASK_AGAIN}:
            await _call(lab, place, label=f"real token: {name}", token=lab.token)
    for _ in range(ASKED_BEFORE):
        await _call(lab, ("POST", ASK_AGAIN), label="real token: the model", token=lab.token)
    genuine = forgeries.Genuine(lab.token, user_token, lab.secrets, time.time())
    calls = [
        _call(lab, place, label=f"forged: {name}", token=forged)
        for name, forge in lab.vary(axes.FORGERIES)
        if (forged := forge(genuine))
        for _, place in lab.vary(axes.PROTECTED)
    ]
    calls += [
        _call(lab, place, label=f"forged: {name}", token=forgeries.signed_with(genuine, key))
        for name, key, _, place in lab.pairs(axes.FORGERS_KEYS, axes.PROTECTED)
    ]
    calls += [
        _call(
            lab, place, label=f"no token: {name}", headers={} if header is None else {"authorization": header}
        )
        for name, header in lab.vary(axes.WITHOUT_TOKEN)
        for _, place in lab.vary(axes.PROTECTED)
    ]
    await _at_once(calls)


async def _try_logins(lab: Lab) -> None:
    values = {**lab.secrets, "admin_password_cut": lab.secrets["admin_password"][:-1]}
    calls = []
    for name, (user, template) in lab.vary(axes.WRONG_LOGINS):
        content = lab.contract.login_body(user, Template(template).substitute(values))
        calls.append(_send(lab, lab.login_path, content, label=f"wrong login: {name}"))
    await _at_once(calls, SLOW)


async def _try_origins(lab: Lab) -> None:
    foreign = axes.foreign_origins(lab.allowed_origins)
    calls = [
        _call_from(lab, place, foreign[name], label=f"origin: {name}")
        for name, _, _, place in lab.pairs(axes.FOREIGN, axes.CALLED_FROM_BROWSERS)
    ]
    calls += [
        _preflight(lab, place, foreign[name], label=f"preflight: {name}")
        for name, _, _, place in lab.pairs(axes.FOREIGN, axes.PREFLIGHTS)
    ]
    calls += [
        _call(lab, place, label=f"origin: {name}", headers={"origin": foreign[name], **_COOKIE})
        for name, _, _, place in lab.pairs(axes.FOREIGN, axes.REFUSED_TO_BROWSERS)
    ]
    for origin in lab.allowed_origins:
        calls += [
            _call_from(lab, place, origin, label=f"origin: {axes.CONFIGURED}")
            for _, place in lab.vary(axes.CALLED_FROM_BROWSERS)
        ]
        calls += [
            _preflight(lab, place, origin, label=f"preflight: {axes.CONFIGURED}")
            for _, place in lab.vary(axes.PREFLIGHTS)
        ]
    await _at_once(calls, SLOW)


async def _call_from(lab: Lab, place: Place, origin: str, *, label: str) -> None:
    await _call(lab, place, label=label, token=lab.token, headers={"origin": origin, **_COOKIE})


async def _preflight(lab: Lab, place: Place, origin: str, *, label: str) -> None:
    method, name = place
    headers = {"origin": origin, "access-control-request-method": method, **_PREFLIGHT}
    await lab.client.request("OPTIONS", _path(lab, name), label=label, headers=headers, timeout=PATIENCE)


async def _look_around(lab: Lab) -> None:
    openapi = await lab.get("/openapi.json", label="look", token=lab.token, timeout=PATIENCE)
    listed = _listed_pages(openapi, starts.key_variable(lab.contract))
    pages = [path for path, _ in lab.vary(axes.PAGES)]
    calls = [
        _look(lab, path, token=lab.token) for path in (*lab.contract.endpoints.values(), *listed, *pages)
    ]
    await _at_once([*calls, *(_look(lab, path) for path in pages)])


async def _look(lab: Lab, path: str, token: str | None = None) -> None:
    await lab.get(path, label="look", token=token, timeout=PATIENCE)


async def _log_in_oddly(lab: Lab) -> None:
    password = lab.secrets["admin_password"]
    bodies = [(json.dumps(content), "application/json") for _, content in lab.vary(axes.ODD_LOGINS)]
    bodies += [body for _, body in lab.vary(axes.ODD_BODIES)]
    calls = []
    for template, content_type in bodies:
        body = Template(template).safe_substitute(password=password)
        calls.append(_send(lab, lab.login_path, body, label="odd login", content_type=content_type))
        calls.append(_send(lab, lab.ask_path, body, label="odd request", content_type=content_type))
    calls.append(_send(lab, lab.login_path, {"password": password}, label="odd login", method="PUT"))
    await _at_once(calls, SLOW)


async def _at_once(calls: Sequence[Coroutine[Any, Any, None]], number: int = QUICK) -> None:
    """Make calls, so many at once: a service that answers none of them must not take longer than the experiment has."""
    for start in range(0, len(calls), number):
        await asyncio.gather(*calls[start : start + number])


async def _send(
    lab: Lab,
    path: str,
    content: str | dict[str, Any],
    *,
    label: str,
    content_type: str = "application/json",
    method: str = "POST",
) -> None:
    body = content if isinstance(content, str) else json.dumps(content)
    await lab.client.request(
        method,
        path,
        label=label,
        body=body.encode(),
        headers={"content-type": content_type},
        token=lab.token if path == lab.ask_path else None,
        timeout=PATIENCE,
    )


def _listed_pages(openapi: Answer | Failure, variable: str) -> list[str]:
    """Return the paths that an OpenAPI document lists for GET; those that take parameters with the name of a secret."""
    try:
        paths = json.loads(openapi.body)["paths"] if isinstance(openapi, Answer) else {}
        found = [path for path, methods in paths.items() if "get" in methods]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    filled = [
        _PARAMETER.sub(name, path)
        for path in found
        if _PARAMETER.search(path)
        for name in (variable, variable.lower())
    ]
    return [path for path in found if "{" not in path][:MOST_LISTED_PAGES] + filled[:MOST_FILLED_PAGES]


async def _call(
    lab: Lab, place: Place, *, label: str, token: str | None = None, headers: Mapping[str, str] | None = None
) -> None:
    method, name = place
    key, content = None, None
    if name == ASK:
        key = lab.key()
        content = lab.ask_body(key)
    if name == ASK_AGAIN:
        content = lab.ask_body(lab.control_key)
    if name == LOGIN:
        user = next(iter(lab.contract.users.values()))
        content = lab.contract.login_body(user.name, lab.secrets[user.password])
        token = None
    await lab.client.request(
        method,
        _path(lab, name),
        label=label,
        body=json.dumps(content).encode() if content else b"",
        headers={**(headers or {}), **({"content-type": "application/json"} if content else {})},
        token=token,
        key=key,
        timeout=PATIENCE,
    )


def _path(lab: Lab, name: str) -> str:
    own = {ASK: lab.ask_path, ASK_AGAIN: lab.ask_path, LOGIN: lab.login_path, NOWHERE: "/no-such-page"}
    return own[name] if name in own else lab.endpoint(name)
