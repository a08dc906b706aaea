"""What a Toxiproxy server says about its proxies."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Stream = Literal["upstream", "downstream"]
"""`upstream` is from the client to the server, `downstream` back."""


class Toxic(BaseModel):
    """A toxic as it was when the server was asked. `stream` is spelled as whoever added it did."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: dict[str, int]


class Proxy(BaseModel):
    """A proxy as it was when the server was asked. `listen` is the address that clients connect to."""

    model_config = ConfigDict(frozen=True)

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[Toxic, ...] = ()

    @property
    def host(self) -> str:
        """The host part of `listen`, without the brackets of an IPv6 address."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class ProxySpec(BaseModel):
    """A proxy that `Toxiproxy.populate` is to make sure of."""

    model_config = ConfigDict(frozen=True)

    name: str
    upstream: str
    listen: str = "127.0.0.1:0"
    enabled: bool = True
