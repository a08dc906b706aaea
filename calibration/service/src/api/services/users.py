"""The two users of this service; their passwords come from the environment."""

import hmac
from collections.abc import Mapping


class UserStore:
    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = {name: password.encode() for name, password in passwords.items()}

    def __contains__(self, username: str) -> bool:
        return username in self._passwords

    def verify(self, username: str, password: str) -> bool:
        """Whether the password is the user's; takes the same time whether or not there is such a user."""
        expected = self._passwords.get(username)
        # JSON can escape halves of surrogate pairs, which UTF-8 alone does not encode.
        matches = hmac.compare_digest(expected or b"", password.encode(errors="surrogatepass"))
        return matches and expected is not None
