"""The experiments of exercise 1: environments that are not to be accepted, and an intruder."""

import asyncio
import json
import time

from chaos.history import Launched, Ready
from exercises.exam.ex1_secure_configuration import starts
from exercises.exam.ex1_secure_configuration.forgeries import EXPIRED, forge
from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["intruder", "misconfigured", "repository"]

ASKED_OF_THE_MODEL = (
    "signed with another key",
    "signed with the key 'your-secret-key-change-in-production'",
    "algorithm none",
    "claims of another user",
    "no token at all",
    EXPIRED,
)
EXPOSING_PATHS = (
    "/openapi.json",
    "/docs",
    "/redoc",
    "/debug",
    "/debug/config",
    "/debug/env",
    "/config",
    "/settings",
    "/env",
    "/info",
    "/.env",
    "/no-such-page",
)
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@experiment(seconds=12, needs="start")
async def misconfigured(lab: Lab) -> None:
    """The service is started without its key, with keys that everybody knows, and with addresses that are none."""
    history = lab.history.instance()
    launched, ready = history.of(Launched)[-1], history.of(Ready)[-1]
    seconds = starts.patience(ready.t - launched.t)
    lab.phase("fault")
    await asyncio.gather(
        *(
            lab.attempt(instance, changes, seconds=seconds)
            for instance, changes in starts.changes(lab.contract, lab.secrets).items()
        )
    )


@experiment(seconds=1, needs="nothing")
async def repository(lab: Lab) -> None:
    """Read the files that tell others how to configure the service."""
    lab.record_files(".env.example", "*/.env.example", "*/*/.env.example")


@experiment(seconds=4, needs="start")
async def intruder(lab: Lab) -> None:
    """Somebody tries forged tokens, calls from foreign origins, and looks for secrets wherever they might show."""
    lab.phase("fault")
    await _try_tokens(lab)
    await _try_origins(lab)
    await _look_around(lab)


async def _try_tokens(lab: Lab) -> None:
    me = lab.endpoint("me")
    await lab.get(me, label="real token", token=lab.token)
    user_token = await lab.login("user")
    forged = forge(lab.token, user_token, lab.secrets, now=time.time())
    for name, token in forged.items():
        await lab.get(me, label=f"forged: {name}", token=token)
    for name in ASKED_OF_THE_MODEL:
        if name in forged:
            await lab.generate(label=f"forged: {name}", token=forged[name])
    await lab.get(me, label="no token")
    await lab.get(me, label="no token", headers={"authorization": "Basic YWRtaW46YWRtaW4="})
    await lab.client.json("POST", lab.ask_path, lab.ask_body(lab.key()), label="no token")


async def _try_origins(lab: Lab) -> None:
    host = lab.allowed_origin.removeprefix("https://")
    origins = {
        "configured": lab.allowed_origin,
        "foreign": "https://evil.example",
        "null": "null",
        "look-alike suffix": f"{lab.allowed_origin}.evil.example",
        "look-alike prefix": f"https://evil-{host}",
    }
    for name, origin in origins.items():
        # With a cookie, for some servers show only then that they let every origin in.
        await lab.get(
            lab.endpoint("alive"), label=f"origin: {name}", headers={"origin": origin, "cookie": "session=1"}
        )
        await lab.client.request(
            "OPTIONS",
            lab.ask_path,
            label=f"preflight: {name}",
            headers={
                "origin": origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type",
            },
        )


async def _look_around(lab: Lab) -> None:
    for path in (*lab.contract.endpoints.values(), *EXPOSING_PATHS):
        await lab.get(path, label="look", token=lab.token)
    password = lab.secrets["admin_password"]
    for body, headers in (
        (json.dumps({"password": password}), JSON),
        (json.dumps({"username": ["admin"], "password": password}), JSON),
        (json.dumps({"username": "admin", "password": [password]}), JSON),
        (json.dumps({"username": "nobody", "password": password}), JSON),
        (json.dumps({"username": "admin", "password": password})[:-1], JSON),
        (f"username=admin&password={password}", FORM),
    ):
        await lab.client.request(
            "POST", lab.login_path, label="odd login", body=body.encode(), headers=headers
        )
