"""The checks of part 2."""

import ast
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from chaos.history import Answer, Event, Exited, File, History, Launched, Log, Ready
from exercises.assignment1 import plan
from exercises.assignment1.part1_setup import sources
from exercises.assignment1.provider import asked_of
from exercises.chat import limit_checks
from lab.python_source import MAKING, Assignment, Function, parsed, targets_of
from lab.reading import outcome
from lab.secrets_leak import Leaks
from lab.timing import stalled, too_busy
from lab.verdict import Verdict, all_of, failed, not_judged, passed

REFUSED = {400, 422}
EXIT_SECONDS = 20.0
_ROUTES = {"get", "post", "put", "patch", "delete", "route", "api_route"}
_LOADS = ("load_dotenv", "dotenv_values")


def environment_counts(limits: History) -> Verdict:
    allowed = len(limits.exchanges("allowed 1"))
    share = plan.window_of(limits) / allowed
    return all_of(
        [
            _default_model(limits, "no model", plan.OTHER_MODEL),
            _token_limit(limits, "most tokens", "more tokens"),
            limit_checks.in_time(limits, limit_checks.about(limits, allowed), share),
        ]
    )


def env_file_counts(dotenv: History) -> Verdict:
    from_file = _default_model(dotenv, "most tokens before", plan.OTHER_MODEL)
    [most], [more] = (dotenv.exchanges(f"{label} tokens before") for label in ("most", "more"))
    if most.status in REFUSED:
        return failed("the environment wins over .env (MAX_TOKENS_PER_REQUEST)", "the file won", most.end)
    if more.status not in REFUSED:  # no limit, so that nothing shows who wins; 2.1 says so
        return from_file
    return all_of([from_file, _token_limit(dotenv, "most tokens before", "more tokens before")])


def key_is_required(refusals: History) -> Verdict:
    labels = [name for name in plan.attempts(refusals) if "OPENAI_API_KEY" in name]
    return all_of(_refuses(refusals, label, "OPENAI_API_KEY") for label in labels)


def malformed_values_are_refused(refusals: History) -> Verdict:
    labels = [name for name in plan.attempts(refusals) if "=" in name]
    return all_of(
        [*(_refuses(refusals, label, label.partition("=")[0]) for label in labels), _starts(refusals)]
    )


def keys_are_shown_nowhere(leaks: History, refusals: History, requests: History) -> Verdict:
    histories = (leaks, refusals, requests)
    planted = Leaks(histories)
    for history in histories:
        for event in history.events:
            if name := _shown(planted, event):
                return failed(
                    "no key in any line or answer", f"{name} appears in {_place(history, event)}", event
                )
    seen = [event for history in histories for event in history.events if isinstance(event, Answer | Log)]
    return passed(f"no key in {len(seen)} lines and answers", seen[-1] if seen else None)


def settings_are_read_once(dotenv: History) -> Verdict:
    expected = "the .env of the start counts, even if it changes later"
    before, after = (dotenv.exchanges(f"most tokens {when}")[-1] for when in ("before", "after"))
    if before.status == 200 and after.status in REFUSED:
        return failed(expected, "the service followed the changed file", after.end)
    models = [asked_of(dotenv, one.request.key).get("model") for one in (before, after)]
    if models[0] != models[1] and after.status == 200:
        return failed(expected, f"the default model changed from {models[0]} to {models[1]}", after.end)
    for file, name in _read_per_request(dotenv):
        return failed(
            "no handler or dependency of a request reads the environment", f"{name} in {file.path} does", file
        )
    if before.status != 200:
        return not_judged(
            f"a completion with as many tokens as the .env allows: {outcome(before.end)}",
            before.end,
            blame="submission",
        )
    return passed("a .env that changed later changed nothing", after.end)


def _default_model(history: History, label: str, expected: str) -> Verdict:
    exchange = history.exchanges(label)[-1]
    model = asked_of(history, exchange.request.key).get("model")
    told = f"a request without a model uses DEFAULT_MODEL, {expected}"
    if model != expected:
        actual = f"it used {model}" if model else f"no model was called: {outcome(exchange.end)}"
        return failed(told, actual, exchange.end)
    return passed(f"the default model was {model}", exchange.end)


def _token_limit(history: History, most: str, more: str) -> Verdict:
    expected = "MAX_TOKENS_PER_REQUEST tokens are allowed, and one more is not"
    allowed, refused = history.exchanges(most)[-1], history.exchanges(more)[-1]
    if allowed.status != 200:
        return failed(expected, f"as many as allowed: {outcome(allowed.end)}", allowed.end)
    if refused.status not in REFUSED:
        return failed(expected, f"one more: {outcome(refused.end)}", refused.end)
    return passed("the token limit is the one that was set", refused.end)


def _starts(refusals: History) -> Verdict:
    """Judge that the service starts with the least cost limit that is right."""
    if any(event.instance == plan.FREE for event in refusals.of(Ready)):
        return passed("")
    ended = next((event for event in refusals.of(Exited) if event.instance == plan.FREE), None)
    if ended and not ended.cause:
        return failed("DAILY_COST_LIMIT=0: the service starts", f"it exited with code {ended.code}", ended)
    begun = next((event.t for event in refusals.of(Launched) if event.instance == plan.FREE), 0.0)
    if stalled(refusals, begun, ended.t if ended else float("inf")) > 1:
        return too_busy("start with a cost limit of 0", ended)
    return failed("DAILY_COST_LIMIT=0: the service starts", "it did not answer", ended)


def _refuses(refusals: History, label: str, variable: str) -> Verdict:
    """Judge that an attempt exits by itself, with a code other than 0, and names the variable."""
    expected = f"{label}: the service exits within {EXIT_SECONDS:.0f} s with a code other than 0, and names {variable}"
    history = refusals.instance(label)
    own = [event for event in history.events if getattr(event, "instance", "") == label]
    exited = next((event for event in own if isinstance(event, Exited)), None)
    if ready := next((event for event in own if isinstance(event, Ready)), None):
        return failed(expected, "it started and answered", ready)
    if exited is None or exited.cause:
        if stalled(refusals, own[0].t if own else 0, exited.t if exited else float("inf")) > 1:
            return too_busy("wait for the exit", exited)
        return failed(expected, "it neither exited nor answered", exited)
    if exited.code == 0:
        return failed(expected, "it exited with code 0", exited)
    lines = [event for event in own if isinstance(event, Log)]
    naming = next((line for line in reversed(lines) if variable.lower() in line.text.lower()), None)
    if naming is None:
        return failed(
            expected, f"it exited with code {exited.code}, and no line names {variable}", *lines[-1:], exited
        )
    return passed(f"{label} is refused", naming)


def _shown(planted: Leaks, event: Event) -> str | None:
    if isinstance(event, Answer):
        return planted.find(event.body) or planted.find("\n".join(event.headers.values()))
    return planted.find(event.text) if isinstance(event, Log) else None


def _place(history: History, event: Event) -> str:
    if isinstance(event, Answer):
        exchange = next(one for one in history.exchanges() if one.end is event)
        return f"the answer to {exchange.request.method} {exchange.request.path}"
    return "the service's output"


def _read_per_request(dotenv: History) -> Iterator[tuple[File, str]]:
    """Yield the functions that read the environment for each request: handlers, and what they depend on."""
    modules = list(parsed([file for file in dotenv.of(File) if file.path.startswith("src/")]))
    dependencies = {
        ast.unparse(node.args[0]).rpartition(".")[2]
        for _, tree in modules
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Depends", "Provide"} and node.args
    }
    settings = _settings([tree for _, tree in modules])
    for file, tree in modules:
        for node in ast.walk(tree):
            if not isinstance(node, Function) or not (_is_handler(node) or node.name in dependencies):
                continue
            cached = any("cache" in ast.unparse(one) for one in node.decorator_list)
            if not cached and _reads(node, settings, _kept(node)):
                yield file, node.name


def _settings(trees: Sequence[ast.Module]) -> set[str]:
    """Return the names of the classes whose instances read the environment when they are made."""
    own = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return {node.name for node in sources.settings_classes(trees)} | {
        node.name for node in own if any(_reads(one) for one in ast.walk(node) if _is_making(one))
    }


def _is_making(node: ast.AST) -> bool:
    return isinstance(node, ast.Lambda) or (isinstance(node, Function) and node.name in MAKING)


def _kept(function: Function) -> set[ast.AST]:
    """Return the code whose value a function keeps for the next call, in a place that it looks at before.

    That is an outer variable, or an attribute or entry of an object, such as `app.state.settings` and `cls._instance`.
    """
    nodes = list(ast.walk(function))
    outer = {name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    decisions = [node.test for node in nodes if isinstance(node, ast.If | ast.IfExp)]
    decisions += [node for node in nodes if isinstance(node, ast.BoolOp)]
    parts = [one for node in decisions for one in ast.walk(node)]
    looked_at = outer & {one.id for one in parts if isinstance(one, ast.Name)}
    looked_at |= {ast.unparse(one) for one in parts if isinstance(one, ast.Attribute | ast.Subscript)}
    looked_at |= {place for one in parts for place in _asked_for(one)}
    return {
        inner
        for node in nodes
        if isinstance(node, Assignment) and node.value and _assigned(node) & looked_at
        for inner in ast.walk(node.value)
    }


def _asked_for(node: ast.AST) -> Iterator[str]:
    """Yield the place that a question is about: `hasattr(state, "settings")`, or `"settings" not in KEPT`."""
    match node:
        case ast.Call(
            func=ast.Name(id="hasattr" | "getattr"), args=[whole, ast.Constant(value=str(name)), *_]
        ):
            yield f"{ast.unparse(whole)}.{name}"
        case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[whole]):
            yield f"{ast.unparse(whole)}[{ast.unparse(key)}]"


def _assigned(node: Assignment) -> set[str]:
    places = (ast.Name, ast.Attribute, ast.Subscript)
    return {ast.unparse(target) for target in targets_of(node) if isinstance(target, places)}


def _is_handler(node: Function) -> bool:
    calls = [one.func for one in node.decorator_list if isinstance(one, ast.Call)]
    return any(isinstance(one, ast.Attribute) and one.attr in _ROUTES for one in calls) or any(
        isinstance(one, ast.Name) and one.id in _ROUTES for one in calls
    )


def _reads(
    node: ast.AST, settings: AbstractSet[str] = frozenset(), kept: AbstractSet[ast.AST] = frozenset()
) -> bool:
    """Whether code reads the environment itself, or makes an instance of `settings`, other than in what is `kept`."""
    environment = set(sources.environment_reads(node))
    for call in ast.walk(node):
        if call in kept:
            continue
        if call in environment:
            return True
        if isinstance(call, ast.Call):
            name = ast.unparse(call.func)
            if name.endswith(_LOADS) or (name.rpartition(".")[2] in settings and not call.args):
                return True
    return False
