"""What an intruder does: tries tokens, calls from foreign origins, and looks for secrets wherever they might show."""

import asyncio
import json
import time
from string import Template
from typing import Any

from chaos.history import Answer, Failure
from exercises.exam.ex1_secure_configuration import axes, forgeries
from exercises.exam.ex1_secure_configuration.axes import ASK, LOGIN, Place
from lab.lab import Lab

MOST_LISTED_PAGES = 40
_PREFLIGHT = {"access-control-request-headers": "authorization,content-type"}
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
        if place[1] not in {"me", ASK}:
            await _call(lab, place, label=f"real token: {name}", token=lab.token)
    genuine = forgeries.Genuine(lab.token, user_token, lab.secrets, time.time())
    for name, forge in lab.vary(axes.FORGERIES):
        if forged := forge(genuine):
            await asyncio.gather(
                *(
                    _call(lab, place, label=f"forged: {name}", token=forged)
                    for _, place in lab.vary(axes.PROTECTED)
                )
            )
    await asyncio.gather(
        *(
            _call(lab, place, label=f"forged: {name}", token=forgeries.signed_with(genuine, key))
            for name, key, _, place in lab.pairs(axes.FORGERS_KEYS, axes.PROTECTED)
        )
    )
    for name, header in lab.vary(axes.WITHOUT_TOKEN):
        headers = {} if header is None else {"authorization": header}
        await asyncio.gather(
            *(
                _call(lab, place, label=f"no token: {name}", headers=headers)
                for _, place in lab.vary(axes.PROTECTED)
            )
        )


async def _try_logins(lab: Lab) -> None:
    values = {**lab.secrets, "admin_password_cut": lab.secrets["admin_password"][:-1]}
    for name, (user, template) in lab.vary(axes.WRONG_LOGINS):
        content = lab.contract.login_body(user, Template(template).substitute(values))
        await lab.client.json("POST", lab.login_path, content, label=f"wrong login: {name}")


async def _try_origins(lab: Lab) -> None:
    foreign = axes.foreign_origins(lab.allowed_origins)
    for name, _, _, place in lab.pairs(axes.FOREIGN, axes.CALLED_FROM_BROWSERS):
        await _call_from(lab, place, foreign[name], label=f"origin: {name}")
    for name, _, _, place in lab.pairs(axes.FOREIGN, axes.PREFLIGHTS):
        await _preflight(lab, place, foreign[name], label=f"preflight: {name}")
    for origin in lab.allowed_origins:
        for _, place in lab.vary(axes.CALLED_FROM_BROWSERS):
            await _call_from(lab, place, origin, label=f"origin: {axes.CONFIGURED}")
        for _, place in lab.vary(axes.PREFLIGHTS):
            await _preflight(lab, place, origin, label=f"preflight: {axes.CONFIGURED}")


async def _call_from(lab: Lab, place: Place, origin: str, *, label: str) -> None:
    await _call(lab, place, label=label, token=lab.token, headers={"origin": origin, **_COOKIE})


async def _preflight(lab: Lab, place: Place, origin: str, *, label: str) -> None:
    method, name = place
    headers = {"origin": origin, "access-control-request-method": method, **_PREFLIGHT}
    await lab.client.request("OPTIONS", _path(lab, name), label=label, headers=headers)


async def _look_around(lab: Lab) -> None:
    listed = _listed_pages(await lab.get("/openapi.json", label="look", token=lab.token))
    for path in (*lab.contract.endpoints.values(), *listed):
        await lab.get(path, label="look", token=lab.token)
    for path, _ in lab.vary(axes.PAGES):
        await lab.get(path, label="look", token=lab.token)
        await lab.get(path, label="look")


async def _log_in_oddly(lab: Lab) -> None:
    password = lab.secrets["admin_password"]
    bodies = [(json.dumps(content), "application/json") for _, content in lab.vary(axes.ODD_LOGINS)]
    bodies += [body for _, body in lab.vary(axes.ODD_BODIES)]
    for template, content_type in bodies:
        body = Template(template).safe_substitute(password=password).encode()
        headers = {"content-type": content_type}
        await lab.client.request("POST", lab.login_path, label="odd login", body=body, headers=headers)
        await lab.client.request(
            "POST", lab.ask_path, label="odd request", body=body, headers=headers, token=lab.token
        )
    await lab.client.request(
        "PUT", lab.login_path, label="odd login", body=json.dumps({"password": password}).encode()
    )


def _listed_pages(openapi: Answer | Failure) -> list[str]:
    """Return the paths that an OpenAPI document lists for GET, without those that take parameters."""
    try:
        paths = json.loads(openapi.body)["paths"] if isinstance(openapi, Answer) else {}
        found = [path for path, methods in paths.items() if "get" in methods and "{" not in path]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    return found[:MOST_LISTED_PAGES]


async def _call(lab: Lab, place: Place, *, label: str, token: str | None = None, **options: Any) -> None:
    method, name = place
    headers = options.pop("headers", {})
    if name == ASK:
        key = lab.key()
        await lab.client.json(
            method, lab.ask_path, lab.ask_body(key), label=label, token=token, key=key, headers=headers
        )
    elif name == LOGIN:
        user = next(iter(lab.contract.users.values()))
        content = lab.contract.login_body(user.name, lab.secrets[user.password])
        await lab.client.json(method, lab.login_path, content, label=label, headers=headers)
    else:
        await lab.client.request(method, _path(lab, name), label=label, token=token, headers=headers)


def _path(lab: Lab, name: str) -> str:
    own = {ASK: lab.ask_path, LOGIN: lab.login_path}
    return own[name] if name in own else lab.endpoint(name)
