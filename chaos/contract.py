"""What a submission is given and what it promises, as data: variables, upstreams, start, login, endpoints.

A contract is a TOML file. Each assessment brings one, and an instructor can bring another for forks from elsewhere.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StartDefaults(Model):
    """How a service is started whose repository does not say.

    `main` is the module that holds the application (`app`), `service` the name of the service in a compose file,
    `dockerfiles` where a Dockerfile is looked for, `example` a start command to show in error messages.
    """

    main: Path
    service: str
    dockerfiles: tuple[Path, ...]
    example: str
