"""How far each promise of exercise 1 reaches."""

from collections.abc import Sequence
from string import Template
from urllib.parse import urlsplit

from exercises.exam.ex1_secure_configuration import starts
from exercises.exam.ex1_secure_configuration.forgeries import KINDS, KNOWN_KEYS
from lab.axes import Axes, Axis, plain

Place = tuple[str, str]
"""A method, and the name of one of the contract's endpoints; or one of these.

`ASK_AGAIN` is for a prompt that was asked before, and `NOWHERE` for a path that no service has.
"""
ASK, ASK_AGAIN, LOGIN, NOWHERE = "ask", "ask again", "login", "nowhere"

PROTECTED: Axis[Place] = Axis(
    "protected endpoints",
    {
        "who one is": ("GET", "me"),
        "the model": ("POST", ASK),
        "the model, for a prompt asked before": ("POST", ASK_AGAIN),
        "the cache's numbers": ("GET", "cache_stats"),
        "emptying the cache": ("DELETE", "cache_clear"),
    },
)
FORGERIES = Axis("kinds of forgery", KINDS)
FORGERS_KEYS = Axis("well-known keys", KNOWN_KEYS)
WITHOUT_TOKEN: Axis[str | None] = Axis(
    "ways to send no token",
    {
        "no header": None,
        "Basic": "Basic YWRtaW46YWRtaW4=",
        "Digest": 'Digest username="admin"',
        "an API key": "ApiKey 0123456789",
        "Bearer alone": "Bearer",
        "an empty header": "",
    },
)

WRONG_LOGINS = Axis(
    "wrong logins",
    {
        "an unknown user": ("nobody", "$admin_password"),
        "a password with a slip": ("admin", "$admin_password!"),
        "a password cut short": ("admin", "${admin_password_cut}"),
        "the other user's password": ("admin", "$user_password"),
        "no password": ("admin", ""),
        "any password for the other user": ("user", "$user_password!"),
        "the first user's password": ("user", "$admin_password"),
    },
)
"""Who logs in with which password."""

FOREIGN = Axis(
    "foreign origins",
    {
        "another host": "https://evil.example",
        "another scheme": "http://$host",
        "another scheme, the same port": "https://$other_host:$port",
        "a port": "https://$host:8443",
        "another port": "http://$other_host:$next_port",
        "no port": "http://$other_host",
        "more digits in the port": "http://$other_host:${port}0",
        "a subdomain": "https://evil.$host",
        "a subdomain, the same port": "http://evil.$other_host:$port",
        "a neighbour": "https://evil.example.org",
        "the domain above": "https://example.org",
        "look-alike suffix": "https://$host.evil.example",
        "look-alike suffix, the same port": "http://$other_host.evil.example:$port",
        "look-alike prefix": "https://evil-$host",
        "any character for a dot": "https://$dotless_host",
        "the host as a user": "https://$host@evil.example",
        "a developer's machine": "http://localhost:3000",
        "null": "null",
        "a file": "file://",
    },
)
"""Made of what is configured: https://$host and http://$other_host:$port."""
CALLED_FROM_BROWSERS: Axis[Place] = Axis(
    "endpoints called from a browser",
    {
        "liveness": ("GET", "alive"),
        "models": ("GET", "models"),
        "who one is": ("GET", "me"),
        "a login": ("POST", LOGIN),
        "the model": ("POST", ASK),
        "the cache's numbers": ("GET", "cache_stats"),
        "emptying the cache": ("DELETE", "cache_clear"),
    },
)
PREFLIGHTS: Axis[Place] = Axis("endpoints with a preflight", CALLED_FROM_BROWSERS.values)
REFUSED_TO_BROWSERS: Axis[Place] = Axis(
    "errors seen from a browser",
    {
        "no token": ("GET", "me"),
        "no token for the model": ("POST", ASK),
        "a wrong method": ("DELETE", "alive"),
        "an unknown path": ("GET", NOWHERE),
    },
)
"""Requests without a token that no service answers without an error."""

PAGES = plain(
    "pages",
    (
        *("/openapi.json", "/docs", "/redoc", "/info", "/version", "/status", "/config", "/settings", "/env"),
        *(
            "/debug",
            "/debug/config",
            "/debug/env",
            "/debug/settings",
            "/debug/vars",
            "/admin",
            "/admin/config",
        ),
        *("/.well-known/jwks.json", "/.well-known/openid-configuration"),
        *("/api/config", "/actuator/env", "/health/config", "/.env", "/no-such-page"),
    ),
)
ODD_LOGINS = Axis(
    "odd logins",
    {
        "no user": {"password": "$password"},
        "a list as the user": {"username": ["admin"], "password": "$password"},
        "a number as the user": {"username": 7, "password": "$password"},
        "no text as the user": {"username": None, "password": "$password"},
        "a list as the password": {"username": "admin", "password": ["$password"]},
        "an object as the password": {"username": "admin", "password": {"value": "$password"}},
        "an empty user": {"username": "", "password": "$password"},
        "one field too many": {"username": "admin", "passwort": "$password"},
    },
)
"""What is sent to the login, with the administrator's password for $password."""
ODD_BODIES = Axis(
    "odd bodies of a login",
    {
        "JSON cut short": ('{"username": "admin", "password": "$password"', "application/json"),
        "a list": ('["admin", "$password"]', "application/json"),
        "a form": ("username=admin&password=$password", "application/x-www-form-urlencoded"),
        "text": ("admin:$password", "text/plain"),
    },
)

CONFIGURED = "configured"
"""What the requests of an origin that is let in are called."""

FILES = plain("files", (".env.example", "*/.env.example", "*/*/.env.example"))

WITHOUT_KEY = plain("ways to be without a key", ("not set", "not set, nor is ENVIRONMENT"))
PUBLISHED = plain("insecure keys", starts.PUBLISHED)

AXES: Axes = {
    "needs_its_key": (WITHOUT_KEY,),
    "refuses_insecure_keys": (PUBLISHED,),
    "rejects_forged_tokens": (PROTECTED, FORGERIES, FORGERS_KEYS, WITHOUT_TOKEN, WRONG_LOGINS),
    "cors_is_an_allow_list": (FOREIGN, CALLED_FROM_BROWSERS, PREFLIGHTS, REFUSED_TO_BROWSERS),
    "refuses_malformed_values": (starts.MALFORMED,),
    "shows_secrets_nowhere": (PAGES, ODD_LOGINS, ODD_BODIES),
    "env_example_is_complete": (FILES,),
    "refuses_longer_variants_of_well_known_keys": (starts.LONGER_KEYS,),
}


def foreign_origins(configured: Sequence[str]) -> dict[str, str]:
    """Return foreign origins by name, made of the two that are configured: one without a port, one with."""
    one, other = map(urlsplit, configured)
    assert one.hostname
    assert other.port
    values = {
        "host": one.hostname,
        "dotless_host": one.hostname.replace(".", "x", 1),
        "other_host": other.hostname,
        "port": other.port,
        "next_port": other.port + 1,
    }
    return {name: Template(template).substitute(values) for name, template in FOREIGN.values.items()}
