"""The checks of part 2. Each judges recorded histories alone; its parameters name the experiments."""

from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime

from chaos.history import Answer, Call, Database, Exchange, History, Planted
from chaos.stand_in import TOO_LARGE
from exercises.project61.part2_security.fallback import redis_down_is_survived
from exercises.project61.part2_security.hostile import EVIL_HEADER, headers_of
from exercises.project61.part2_security.keys import Key, key_of
from exercises.project61.part2_security.limits import limits_hold_across_instances
from exercises.project61.part2_security.plan import REFUSED, REVOKED_SECONDS
from exercises.project61.part2_security.readable import readable_form
from exercises.project61.part2_security.second import no_second
from exercises.project61.usage_report import TOKENS, tokens_reported, unread, usage_of
from lab.control import LOGIN_LABEL
from lab.reading import as_json, outcome
from lab.timing import blur, too_busy
from lab.tokens import claims_of, ends
from lab.verdict import Verdict, all_of, failed, in_short, not_judged, passed

__all__ = [
    "input_is_bounded",
    "keys_are_unreadable",
    "keys_work_until_revoked",
    "limits_hold_across_instances",
    "permissions_hold",
    "redis_down_is_survived",
    "tokens_are_checked",
    "usage_is_private",
]


def tokens_are_checked(access: History) -> Verdict:
    expected = (
        "401 for every token that the service has not signed, or not for so long, and no call of the backend"
    )
    asked = _labelled(access, "forged: ")
    for one in _labelled(access, "guessed: "):
        if one.status not in {401, 429}:
            what = one.request.label.removeprefix("guessed: ")
            return failed(f"401 for a login with {what}", outcome(one.end), one.end)
    for one in asked:
        what = f"{one.request.method} {one.request.path}, token: {one.request.label.removeprefix('forged: ')}"
        if one.status != 401:
            return failed(expected, f"{what}: {outcome(one.end)}", one.end)
        if one.request.key and access.calls(key=one.request.key):
            return failed(expected, f"{what}: the backend was called", one.end)
    return _tokens_end(access) or passed(f"{len(asked)} requests were answered 401", asked[-1].end)


def _tokens_end(access: History) -> Verdict | None:
    """Return what is wrong with a token that is a JWT and never ends; None for others, which nobody can read."""
    for login in access.exchanges(LOGIN_LABEL):
        body = as_json(login.end.body) if isinstance(login.end, Answer) else None
        token = body.get("access_token") if isinstance(body, dict) else None
        claims = claims_of(token) if isinstance(token, str) else None
        now = _date_of(login)
        if claims is not None and now is not None and not ends(claims, now=now):
            return failed(
                "a token that expires, by a claim in seconds since 1970 such as `exp` (RFC 7519)",
                f"its claims are {', '.join(claims) or 'none'}, and none is a time that lies ahead",
                login.end,
            )
    return None


def _date_of(exchange: Exchange) -> float | None:
    """Return when the service answered, by its own Date header, in seconds since 1970."""
    value = exchange.end.headers.get("date", "") if isinstance(exchange.end, Answer) else ""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def keys_work_until_revoked(access: History, two_instances: History) -> Verdict:
    [created] = access.exchanges("key: create")
    key = key_of(created.end)
    if not key.text:
        return failed(
            "200 or 201 with `id` and `key` for POST /v1/api-keys", outcome(created.end), created.end
        )
    for one in _labelled(access, "key: as "):
        if one.status != 200:
            how = one.request.label.removeprefix("key: as ")
            return failed(f"200 for a key as {how}", f"{one.request.path}: {outcome(one.end)}", one.end)
    verdicts = [_shown_once(access, key), *_revocations(access, "key: "), _elsewhere(two_instances)]
    return in_short(all_of(verdicts), "a key worked in both ways, was shown once, and was 401 once revoked")


def keys_are_unreadable(access: History) -> Verdict:
    expected = "no key and no password in the database, but hashes of them"
    dump = access.first(Database)
    if dump is None or dump.problem:
        return not_judged(
            f"the database could not be read ({dump.problem if dump else 'nothing recorded'})", dump
        )
    keys = [
        key.text
        for one in access.exchanges()
        if one.request.label.endswith(("create", "create key")) and (key := key_of(one.end)).text
    ]
    if not keys:
        return failed("200 or 201 with `id` and `key` for POST /v1/api-keys", "no key was made")
    if dump.cut:
        return failed(
            "a database of a few rows",
            "it holds more than a megabyte, or 50,000 lines, after some hundred requests",
            dump,
        )
    passwords = {user.password: f"the password of {user.name}" for user in access.contract.users.values()}
    planted = {event.name: event.value for event in access.of(Planted)}
    secrets = [(what, planted[name]) for name, what in passwords.items() if name in planted]
    for what, secret in [*(("a key", key) for key in keys), *secrets]:
        if form := readable_form(secret, dump.text):
            return failed(expected, f"{what} is there as {form}", dump)
    return passed(f"neither {len(keys)} keys nor {len(secrets)} passwords can be read in the database", dump)


def permissions_hold(access: History) -> Verdict:
    expected = "403 without the permission, and no call of the backend"
    denied = _labelled(access, "permission: denied")
    for one in access.exchanges("permission: allowed"):
        if one.status != 200:
            return failed(f"200 for {one.request.path} with its permission", outcome(one.end), one.end)
    for one in denied:
        if one.status != 403:
            how = one.request.label.rpartition(" ")[2]
            return failed(expected, f"{one.request.path} with the {how}: {outcome(one.end)}", one.end)
        if one.request.key and access.calls(key=one.request.key):
            return failed(expected, f"{one.request.path}: the backend was called", one.end)
    return passed(f"{len(denied)} requests were answered 403", denied[-1].end)


def usage_is_private(access: History) -> Verdict:
    refused = "403 or 404 for what belongs to another user"
    [created] = access.exchanges("private: create")
    key = key_of(created.end)
    for label in ("private: usage of another", "private: revoke another's"):
        if label.endswith("another's") and not key.id:
            continue
        for one in access.exchanges(label):
            if one.status not in REFUSED:
                what = f"{one.request.method} {one.request.path}"
                return failed(refused, f"{what}: {outcome(one.end)}", one.end)
    if not key.id:
        return failed(
            "200 or 201 with `id` and `key` for POST /v1/api-keys", outcome(created.end), created.end
        )
    [listed] = access.exchanges("private: keys")
    if isinstance(listed.end, Answer) and listed.status == 200 and key.id in _ids(listed.end):
        return failed(
            "one's own keys alone from GET /v1/api-keys", "another user's key is listed", listed.end
        )
    [used] = access.exchanges("private: still works")
    if used.status != 200:
        return failed("a key that another user tried to revoke still works", outcome(used.end), used.end)
    return _told_to_the_admin(access)


def _told_to_the_admin(access: History) -> Verdict:
    """Judge what an admin is told of the usage of a user who has asked once."""
    seen = access.exchanges("private: usage for the admin")
    usage = usage_of(seen[-1].end)
    if usage is None or usage.requests < 1:
        actual = unread(seen[-1].end, *TOKENS, "requests") or "0 requests"
        return failed("the user's requests in GET /v1/usage?user= for an admin", actual, seen[-1].end)
    [asked] = access.exchanges("private: asked")
    spent = tokens_reported(access.calls(key=asked.request.key))
    if asked.status == 200 and usage.tokens != spent:
        expected = f"that user's usage alone in GET /v1/usage?user= for an admin: {spent} tokens"
        return failed(expected, f"{usage.tokens:g} tokens", seen[-1].end)
    return passed("another user's usage and keys were refused, and an admin saw the usage", seen[-1].end)


def input_is_bounded(access: History) -> Verdict:
    verdicts = [*_oversized(access), *_hostile(access), _unharmed(access)]
    return in_short(all_of(verdicts), f"{len(verdicts)} attacks did no harm")


def _shown_once(history: History, key: Key) -> Verdict:
    [listed] = history.exchanges("key: list")
    if not isinstance(listed.end, Answer) or listed.status != 200 or key.id not in _ids(listed.end):
        return failed("the key's id in GET /v1/api-keys", outcome(listed.end), listed.end)
    if key.text in listed.end.body:
        return failed("no key in GET /v1/api-keys", "the key is in it", listed.end)
    return passed("", listed.end)


def _revocations(history: History, prefix: str) -> Iterator[Verdict]:
    [revoked] = history.exchanges(f"{prefix}revoke")
    if revoked.status not in {200, 204}:
        yield failed("200 or 204 for DELETE /v1/api-keys/{id}", outcome(revoked.end), revoked.end)
        return
    assert revoked.end
    labels = dict.fromkeys(one.request.label for one in _labelled(history, f"{prefix}revoked"))
    for label in labels:
        last = history.exchanges(label)[-1]
        expected = f"401 for a revoked key within {REVOKED_SECONDS:.0f} s"
        if last.status != 401:
            yield failed(expected, f"{label.removeprefix(prefix)}: {outcome(last.end)}", last.end)
        elif last.request.t > revoked.end.t + REVOKED_SECONDS + 1 + blur(
            history, revoked.end.t, last.request.t
        ):
            yield too_busy("time the revocation", last.end)
        else:
            yield passed("", last.end)


def _elsewhere(history: History) -> Verdict:
    if problem := no_second(history):
        return problem
    [used] = history.exchanges("elsewhere: used")
    if used.status != 200:
        return failed("200 for a key on another instance than made it", outcome(used.end), used.end)
    return all_of(_revocations(history, "elsewhere: "))


def _oversized(history: History) -> Iterator[Verdict]:
    for one in history.exchanges("large"):
        refused = isinstance(one.end, Answer) and 400 <= one.end.status < 500
        hung_up = (
            one.end is not None and not isinstance(one.end, Answer) and one.end.error in {"reset", "eof"}
        )
        if not refused and not hung_up:
            yield failed("4xx for a body of 40 MiB, best 413", outcome(one.end), one.end)
        elif call := _large_call(history, one):
            expected = "a body of 40 MiB is refused without a call of the backend"
            yield failed(expected, "the backend was called with it, and refused it", call)
        else:
            yield passed("", one.end)
    for one in history.exchanges("deep"):
        if isinstance(one.end, Answer) and 400 <= one.end.status < 500:
            yield passed("", one.end)
        else:
            what = f"{one.request.path}: {outcome(one.end)}"
            yield failed("4xx for JSON that is nested 100,000 deep", what, one.end)


def _large_call(history: History, exchange: Exchange) -> Call | None:
    """Return the call by which a large body was passed on to the backend; None if there is none."""
    end = exchange.end.t if exchange.end else exchange.request.t
    return next(
        (
            call
            for call in history.of(Call)
            if call.upstream == history.contract.model
            and call.step == TOO_LARGE
            and exchange.request.t <= call.t <= end
        ),
        None,
    )


def _hostile(history: History) -> Iterator[Verdict]:
    for one in _labelled(history, "hostile: "):
        what = one.request.label.removeprefix("hostile: ")
        if one.status is None or one.status >= 500:
            yield failed("an answer below 500 for hostile text", f"{what}: {outcome(one.end)}", one.end)
        elif EVIL_HEADER in {name.lower() for name in headers_of(one.end)}:
            yield failed(
                "no header that a request has smuggled in", f"{what}: {EVIL_HEADER} is there", one.end
            )
        else:
            yield passed("", one.end)


def _unharmed(history: History) -> Verdict:
    expected = "chat is answered and its usage counted after the attacks"
    [chat] = history.exchanges("harm: chat")
    if chat.status != 200:
        return failed(expected, outcome(chat.end), chat.end)
    reports = [usage_of(one.end) for one in history.exchanges("harm: usage")]
    first, last = reports[0], reports[-1]
    if first and last and last.tokens <= first.tokens:
        return failed(expected, "the usage of a request after them never arrived", chat.end)
    return passed("", chat.end)


def _labelled(history: History, prefix: str) -> Sequence[Exchange]:
    return [one for one in history.exchanges() if one.request.label.startswith(prefix)]


def _ids(answer: Answer) -> set[str]:
    """Return every id that a list of keys holds, however it is wrapped."""
    body = as_json(answer.body)
    found = (
        body
        if isinstance(body, list)
        else next((value for value in body.values() if isinstance(value, list)), [])
        if isinstance(body, dict)
        else []
    )
    return {str(one["id"]) for one in found if isinstance(one, dict) and "id" in one}
