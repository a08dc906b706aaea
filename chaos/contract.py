"""What a submission is given and what it promises, as data: variables, upstreams, start, login, endpoints.

A contract is a TOML file. Each assessment brings one, and an instructor can bring another for forks from elsewhere
(`grading score --contract FILE`). docs/AUTHORING.md explains every table.
"""

import json
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any, Literal, Self

import bcrypt
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

HASH_ROUNDS = 6
"""Cost of a bcrypt hash, as its base-2 logarithm: a login in a lab need not be slow."""

Kind = Literal["model", "qdrant", "mlflow", "tei", "redis", "postgres"]
"""What serves an upstream in the lab; `model` is the scripted model."""


class ContractError(ValueError):
    """A contract that cannot be used; the message is one sentence that says what to correct."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StartDefaults(Model):
    """How a service is started whose repository does not say.

    `main` is the module that holds the application (`app`), `service` the name of the service in a compose file,
    `dockerfiles` where a Dockerfile is looked for, `example` a start command to show in error messages. Where there is
    a `command`, it is the only default. Of `groups`, dependency groups or extras, those that the repository has are
    installed as well.
    """

    main: Path
    service: str
    dockerfiles: tuple[Path, ...] = ()
    example: str
    command: str = ""
    groups: tuple[str, ...] = ()


class Variables(Model):
    """Variables of the service, each with a template of its value."""

    variables: dict[str, str] = {}

    def fill(self, **values: str) -> dict[str, str]:
        """Return the variables with `$name` in their templates replaced."""
        return {name: Template(template).substitute(values) for name, template in self.variables.items()}

    @property
    def variable(self) -> str:
        """The first variable: what the whole is called in messages."""
        return next(iter(self.variables), "")


class Secret(Variables):
    """A secret of the service: `$value`, or `$bcrypt`, its hash.

    It is drawn anew for each instance, with so many hexadecimal `digits`, unless `value` fixes it, as for a service
    with passwords in its code.
    """

    value: str | None = None
    digits: int = 48


class UpstreamSpec(Variables):
    """A dependency of the service, behind a fault proxy: `$url`, or `$host` and `$port`, is that proxy's address.

    A database has a `$user` with a `$password`, and a `$database` of its own.
    """

    kind: Kind

    @property
    def names(self) -> tuple[str, ...]:
        """What templates may use."""
        address = ("url", "host", "port")
        return (*address, "user", "password", "database") if self.kind == "postgres" else address


class Origin(Variables):
    """The origins of browser applications that the service lets in: `$origins` is a JSON list, `$origin` its first."""


class User(Model):
    """Who logs in by which name, with which of the contract's secrets as the password."""

    name: str
    password: str


class Login(Model):
    """How a user gets a token: `$user` and `$password` in `body` are replaced, `token` is the field of the answer."""

    path: str
    body: dict[str, Any]
    encoding: Literal["json", "form"] = "json"
    token: str = "access_token"  # noqa: S105 - the name of a field


class Ask(Model):
    """How the model is asked by way of the service: `$model` and `$prompt` in `body` are replaced.

    The first of `models` is the usual one.
    """

    path: str
    body: dict[str, Any]
    models: tuple[str, ...] = ("",)


class Contract(Model):
    """Everything that the lab has to know of a service.

    `endpoints` are paths by the names under which experiments use them; `alive` is the one that is polled until the
    service answers, with whatever status. `variables` have the same value in every run; in those that are `composed`,
    `$name` is the secret of that name.
    """

    start: StartDefaults
    secrets: dict[str, Secret] = {}
    upstreams: dict[str, UpstreamSpec] = {}
    origin: Origin = Origin()
    variables: dict[str, str] = {}
    composed: dict[str, str] = {}
    required: tuple[str, ...] = ()
    users: dict[str, User] = {}
    login: Login | None = None
    ask: Ask | None = None
    endpoints: dict[str, str]

    @field_validator("endpoints")
    @classmethod
    def _has_alive(cls, endpoints: dict[str, str]) -> dict[str, str]:
        if "alive" not in endpoints:
            raise ValueError("needs an entry `alive`: the path that is polled until the service answers")
        return endpoints

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for role, user in self.users.items():
            if user.password not in self.secrets:
                raise ValueError(
                    f"users.{role} names the secret '{user.password}', which [secrets] does not have"
                )
        if self.ask and not any(one.kind == "model" for one in self.upstreams.values()):
            raise ValueError("[ask] needs an upstream of kind 'model'")
        try:
            compose(self.composed, dict.fromkeys(self.secrets, ""))
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"composed has a template with {error}; it may use the names of [secrets]"
            ) from None
        for name, group, known in self._groups():
            try:
                group.fill(**dict.fromkeys(known, ""))
            except (KeyError, ValueError) as error:
                raise ValueError(
                    f"{name} has a template with {error}; it may use ${', $'.join(known)}"
                ) from None
        return self

    def _groups(self) -> Iterator[tuple[str, Variables, tuple[str, ...]]]:
        yield "origin", self.origin, ("origin", "origins")
        for name, secret in self.secrets.items():
            yield f"secrets.{name}", secret, ("value", "bcrypt")
        for name, upstream in self.upstreams.items():
            yield f"upstreams.{name}", upstream, upstream.names

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a contract; raises ContractError where the file is none."""
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ContractError(f"The contract {path} cannot be read ({error.strerror}).") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the contract"
            reason = first["msg"].removeprefix("Value error, ")
            raise ContractError(f"The contract {path} is wrong in {place}: {reason}.") from error
        except ValueError as error:
            raise ContractError(f"The contract {path} is not valid TOML ({error}).") from error

    @property
    def names(self) -> tuple[str, ...]:
        """Every variable that the lab sets, or leaves out on purpose."""
        groups = (group.variables for _, group, _ in self._groups())
        return tuple(
            dict.fromkeys([*(name for group in groups for name in group), *self.composed, *self.variables])
        )

    @property
    def model(self) -> str:
        """The name of the upstream that is the model; of the first one if there are several."""
        return next(name for name, one in self.upstreams.items() if one.kind == "model")

    def draw(self, source: random.Random) -> dict[str, str]:
        """Return a value for every secret by its name: the fixed one, or hexadecimal digits from `source`."""
        drawn = {
            name: f"{source.getrandbits(4 * one.digits):0{one.digits}x}" for name, one in self.secrets.items()
        }
        return {name: one.value or drawn[name] for name, one in self.secrets.items()}

    def given(self, secrets: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that carry secrets."""
        found: dict[str, str] = {}
        for name, secret in self.secrets.items():
            hashed = _hash(secrets[name]) if any("bcrypt" in one for one in secret.variables.values()) else ""
            found |= secret.fill(value=secrets[name], bcrypt=hashed)
        return found | compose(self.composed, secrets)

    def environment(
        self,
        given: Mapping[str, str],
        addresses: Mapping[str, tuple[str, int]],
        *,
        origin: str,
        more_origins: Sequence[str] = (),
        credentials: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> dict[str, str]:
        """Return all variables of an instance.

        `given` are those of its secrets, `addresses` and `credentials` belong to its upstreams, by name.
        """
        origins = json.dumps([origin, *more_origins])
        found = dict(self.variables) | dict(given) | self.origin.fill(origin=origin, origins=origins)
        for name, upstream in self.upstreams.items():
            host, port = addresses[name]
            address = {"url": f"http://{host}:{port}", "host": host, "port": str(port)}
            found |= upstream.fill(**address, **credentials.get(name, {}))
        return found

    def ask_body(self, prompt: str, *, model: str | None = None) -> dict[str, Any]:
        """Return the body of a request that has the model answer `prompt`. The contract has to have [ask]."""
        assert self.ask
        body = _filled(self.ask.body, {"model": model or self.ask.models[0], "prompt": prompt})
        assert isinstance(body, dict)
        return body

    def login_body(self, user: str, password: str) -> dict[str, Any]:
        """Return the body of a login. The contract has to have [login]."""
        assert self.login
        body = _filled(self.login.body, {"user": user, "password": password})
        assert isinstance(body, dict)
        return body


def compose(templates: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """Return templates with secrets in the place of their names. Raises KeyError for a name that is none."""
    return {name: Template(template).substitute(secrets) for name, template in templates.items()}


def field(value: Any, path: str) -> Any:
    """Return what stands in a JSON value at a dotted path, such as `data.token`; None where there is nothing."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    match value:
        case str():
            return Template(value).safe_substitute(values)
        case dict():
            return {name: _filled(one, values) for name, one in value.items()}
        case list():
            return [_filled(one, values) for one in value]
        case _:
            return value


def _hash(value: str) -> str:
    return bcrypt.hashpw(value.encode(), bcrypt.gensalt(HASH_ROUNDS)).decode()
