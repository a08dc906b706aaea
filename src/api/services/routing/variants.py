"""Variants of a model, each for its share of the users: `{"chat": {"chat-v1": 9, "chat-v2": 1}}`.

A user keeps a variant on every instance and after every restart. When weights change, only as many users move as they
must: each variant draws a number for each user, and the highest one wins (weighted rendezvous hashing,
https://www.snia.org/sites/default/files/SDC15_presentations/dist_sys/Jason_Resch_New_Consistent_Hashings_Rev.pdf).
"""

import hashlib
import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from api.services.routing.routes import Name

Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Variants = Mapping[str, Mapping[str, float]]

_FORM = 'must be a JSON object of models and their variants by weight, such as {"chat": {"chat-v1": 9, "chat-v2": 1}}'
_VARIANTS = TypeAdapter(dict[Name, Annotated[dict[Name, Weight], Field(min_length=1)]])
_DRAWS = 2.0**52
"""As many as a float can tell apart."""


def pick_variant(variants: Variants, model: str, user: str) -> str | None:
    """The variant of a model that a user has, or None if the model has no variants."""
    weights = variants.get(model)
    if not weights:
        return None
    return max(weights, key=lambda name: weights[name] / -math.log(_draw(model, name, user)))


def parse_variants(value: object) -> object:
    """Variants, from JSON. Raises ValueError, which does not repeat the value."""
    if not isinstance(value, str):
        return value
    try:
        return _VARIANTS.validate_json(value)
    except ValidationError:
        raise ValueError(_FORM) from None


def _draw(*names: str) -> float:
    """A number between 0 and 1, both excluded, that depends on names alone."""
    digest = hashlib.sha256("\0".join(names).encode(errors="surrogatepass")).digest()
    return (int.from_bytes(digest, "big") % int(_DRAWS) + 0.5) / _DRAWS
