"""Who asks, and which model: every user of the contract and every model in turn."""

import itertools

from chaos.history import Answer, Failure
from exercises.exam.promises import PATIENCE_SECONDS
from lab.lab import Lab


class Callers:
    """Asks the service for each of the contract's users and models in turn."""

    def __init__(self, lab: Lab, tokens: list[str]) -> None:
        assert lab.contract.ask
        self._lab = lab
        self._models = itertools.cycle(lab.contract.ask.models)
        self._tokens = itertools.cycle(tokens)

    @classmethod
    async def log_in(cls, lab: Lab) -> "Callers":
        """Log in for each user of the contract; one that cannot is left out."""
        tokens = [token for role in lab.contract.users if (token := await lab.login(role))]
        return cls(lab, tokens or [lab.token])

    async def ask(
        self,
        key: str | None = None,
        *,
        label: str,
        model: str = "",
        long: bool = False,
        timeout: float = PATIENCE_SECONDS,
    ) -> Answer | Failure:
        """Ask for the prompt with `key`, by default a new one, of `model`, by default the next in turn."""
        key = key or self._lab.key()
        return await self._lab.client.json(
            "POST",
            self._lab.ask_path,
            self._lab.ask_body(key, model=model or next(self._models), long=long),
            label=label,
            key=key,
            token=next(self._tokens),
            timeout=timeout,
        )
