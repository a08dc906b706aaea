"""What a demonstration asks of the service: a login, and then the model."""

import asyncio
import os
import secrets
import time
from dataclasses import dataclass
from typing import Any, Self

import httpx

from chaos.contract import Contract, field
from chaos.demo.errors import NotThereError, StageError
from chaos.demo.service import the_service

SECONDS = 60.0
"""Longer than any service may take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended: `status` is None where there was no answer; `note` says what is odd about it."""

    status: int | None
    seconds: float
    note: str = ""


class Api:
    """The service at `url`, as the first user of its contract sees it."""

    def __init__(self, url: str, contract: Contract) -> None:
        self._url = url
        self._contract = contract
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        self._http = httpx.AsyncClient(base_url=url, timeout=SECONDS, limits=limits, trust_env=False)
        self._token: str | None = None
        self._login = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def log_in(self) -> str:
        """Return a token, a new one where there is none; raises NotThereError where there is none to be had."""
        async with self._login:
            if self._token is None:
                self._token = await self._new_token()
            return self._token

    async def ask(self) -> Answer:
        """Ask the model something new."""
        began = time.monotonic()
        prompt = f"What is there to say about number {secrets.token_hex(6)}? One sentence is enough."
        try:
            headers = {"Authorization": f"Bearer {await self.log_in()}"}
            assert self._contract.ask
            body = self._contract.ask_body(prompt)
            response = await self._http.post(self._contract.ask.path, json=body, headers=headers)
        except (httpx.HTTPError, StageError) as error:
            note = "no answer" if isinstance(error, StageError) else f"no answer: {type(error).__name__}"
            return Answer(None, time.monotonic() - began, note)
        if response.status_code == 401:
            self._token = None  # the service was started again, with another key
        return Answer(response.status_code, time.monotonic() - began, _note(response))

    async def _new_token(self) -> str:
        login, user = self._contract.login, next(iter(self._contract.users.values()), None)
        if login is None or user is None:
            return ""
        secret = self._contract.secrets[user.password]
        password = secret.value or await self._password(secret.variable)
        body = self._contract.login_body(user.name, password)
        sent: dict[str, Any] = {"data": body} if login.encoding == "form" else {"json": body}
        try:
            answer = await self._http.post(login.path, **sent)
        except httpx.HTTPError as error:
            raise NotThereError(
                f"No service answers at {self._url} ({type(error).__name__}): start a stack with `grading up`,"
                " or say where it is with --api."
            ) from None
        try:
            token = field(answer.json(), login.token)
        except ValueError:
            token = None
        if token:
            return str(token)
        raise NotThereError(
            f"POST {login.path} answers {answer.status_code}, and no {login.token};"
            f" set {secret.variable} to the password of the user {user.name}."
        )

    async def _password(self, variable: str) -> str:
        """Return the password that our environment has, or else the service itself: whoever runs it may read that."""
        if password := os.environ.get(variable):
            return password
        service = await the_service(self._url)
        if password := await service.secret(variable):
            return password
        raise NotThereError(
            f"The service has no {variable}; set it here to the password that it logs in with."
        )


def _note(response: httpx.Response) -> str:
    """Say what an answer that is no success says of itself."""
    if response.is_success:
        return ""
    try:
        said = [str(response.json()["error"])]
    except (ValueError, KeyError, TypeError):
        said = []
    if retry_after := response.headers.get("retry-after"):
        said.append(f"retry after {retry_after} s")
    return ", ".join(said)
