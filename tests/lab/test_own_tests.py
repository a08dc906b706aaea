import pytest

from chaos.history import File, History, OwnTest, OwnTests
from lab import python_tests
from lab.own_tests import Suite, tampering

MODULE = """
import unittest

import pytest
from fastapi.testclient import TestClient

from src.main import app
from src.models.requests import Message

client = TestClient(app)


def _is_refused(**fields):
    with pytest.raises(ValueError):
        Message(**fields)


def test_role():
    assert Message(role="user", content="x").role == "user"


def test_by_a_helper():
    _is_refused(role="robot", content="x")


def test_endpoint():
    response = client.get("/health")
    assert response.status_code == 200


class TestMore(unittest.TestCase):
    def test_content(self):
        self.assertEqual(Message(role="user", content="x").content, "x")


def test_nothing():
    Message(role="user", content="x")


def test_constant():
    assert True


def test_itself():
    message = Message(role="user", content="x")
    assert message == message


def test_either():
    assert Message(role="user", content="x") or True


@pytest.mark.xfail
def test_unexpected():
    assert Message(role="user", content="x")
"""
NAMES = (
    *("test_role", "test_by_a_helper", "test_endpoint", "TestMore.test_content"),
    *("test_nothing", "test_constant", "test_itself", "test_either", "test_unexpected"),
)


def history(text: str, *names: str, path: str = "tests/test_models.py") -> History:
    cases = tuple(OwnTest(file=path, name=name, outcome="passed") for name in names)
    return History([File(path=path, text=text), OwnTests(cases=cases)])


def test_only_tests_that_assert_something_count() -> None:
    suite = Suite(history(MODULE, *NAMES))

    assert {case.name for case in suite.passing} == set(NAMES[:4])


def test_a_test_that_is_not_in_the_source_does_not_count() -> None:
    assert Suite(history(MODULE, "test_made_up")).passing == []


def test_tests_of_a_package_are_those_that_use_something_of_it() -> None:
    suite = Suite(history(MODULE, *NAMES))

    assert {case.name for case in suite.using("src.models")} == {
        "test_role",
        "test_by_a_helper",
        "TestMore.test_content",
    }


def test_tests_of_endpoints_are_those_that_send_requests_to_the_application() -> None:
    assert [case.name for case in Suite(history(MODULE, *NAMES)).requesting()] == ["test_endpoint"]


def test_a_client_may_come_from_a_fixture() -> None:
    conftest = File(path="tests/conftest.py", text="from httpx import ASGITransport, AsyncClient\n")
    test = "async def test_it(client):\n    assert (await client.post('/x')).status_code == 422\n"
    told = history(test, "test_it")

    assert len(Suite(History([conftest, *told.events])).requesting()) == 1


STREAMS = """
async def test_it(provider):
    assert [piece async for piece in provider.stream("Hello")]
"""


@pytest.mark.parametrize(
    ("fixtures", "sends"),
    [
        ("client = TestClient(app)\n@fixture\ndef provider():\n    return 1\n", False),
        (
            "@fixture\ndef client():\n    return TestClient(app)\n@fixture\ndef provider():\n    return 1\n",
            False,
        ),
        ("@fixture\ndef provider():\n    return TestClient(app)\n", True),
        (
            "@fixture\ndef provider(client):\n    return client\n@fixture\ndef client():\n    return TestClient(app)\n",
            True,
        ),
        ("@pytest.fixture(name='provider')\ndef make():\n    return TestClient(app)\n", True),
        (
            "from httpx import ASGITransport as T\n@fixture\ndef provider():\n    return AsyncClient(transport=T(app))\n",
            True,
        ),
        ("shared = TestClient(app)\n@fixture\ndef provider():\n    return shared\n", True),
        ("class Api:\n    client = TestClient(app)\n@fixture\ndef provider():\n    return Api()\n", True),
    ],
)
@pytest.mark.parametrize("path", ["tests/conftest.py", "tests/fixtures/api.py"])
def test_a_method_that_is_called_like_a_request_is_one_of_a_client(
    fixtures: str, path: str, *, sends: bool
) -> None:
    text = f"import pytest\nfrom fastapi.testclient import TestClient\n{fixtures}"
    suite = Suite(History([File(path=path, text=text), *history(STREAMS, "test_it").events]))

    assert bool(suite.requesting()) is sends


def test_a_client_may_be_imported_from_a_module_of_the_tests() -> None:
    helpers = "from fastapi.testclient import TestClient\nhttp = TestClient(app)\n"
    test = "from tests.helpers import http\n\ndef test_it():\n    assert http.get('/health').status_code == 200\n"
    told = history(test, "test_it")

    assert len(Suite(History([File(path="tests/helpers.py", text=helpers), *told.events])).requesting()) == 1


def test_a_client_may_be_an_attribute_that_something_else_sets() -> None:
    conftest = File(path="tests/conftest.py", text="from fastapi.testclient import TestClient\n")
    test = "class TestApi:\n    def test_it(self):\n        assert self.client.get('/health').status_code == 200\n"
    told = history(test, "TestApi.test_it")

    assert len(Suite(History([conftest, *told.events])).requesting()) == 1


HELPERS = """
from fastapi.testclient import TestClient
from src.app import create_app
from src.models.requests import ChatRequest


def ask(body):
    return TestClient(create_app()).post("/x", json=body)


def chat_request(**fields):
    return ChatRequest(**fields)


def is_refused(answer):
    assert answer.status_code == 422


def unused():
    return ask({})
"""
USING_HELPERS = """
def test_endpoint():
    assert ask({}).status_code == 200

def test_refusal():
    is_refused(ask(None))

def test_model():
    assert chat_request(n=1).n == 1

def test_arithmetic():
    assert sum([1]) == 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("tests/helpers.py", "from tests.helpers import ask, chat_request, is_refused"),
        ("tests/helpers.py", "from helpers import ask, chat_request, is_refused"),
        ("tests/support/__init__.py", "from .support import ask, chat_request, is_refused"),
        ("tests/conftest.py", "from tests.conftest import ask, chat_request, is_refused"),
    ],
)
def test_helpers_may_lie_in_another_module_of_the_tests(path: str, line: str) -> None:
    names = ("test_endpoint", "test_refusal", "test_model", "test_arithmetic")
    told = history(f"{line}\n{USING_HELPERS}", *names)
    suite = Suite(History([File(path=path, text=HELPERS), *told.events]))

    assert [case.name for case in suite.passing] == list(names)
    assert [case.name for case in suite.requesting()] == ["test_endpoint", "test_refusal"]
    assert [case.name for case in suite.using("src.models")] == ["test_model"]


def test_helpers_may_be_used_by_the_name_of_their_module() -> None:
    text = "from tests import helpers as h\n\ndef test_a():\n    h.is_refused(h.ask(None))\n"
    told = history(text, "test_a")

    assert len(Suite(History([File(path="tests/helpers.py", text=HELPERS), *told.events])).requesting()) == 1


def test_what_src_has_is_no_helper_of_the_tests() -> None:
    told = history("from src.helpers import is_refused\n\ndef test_a():\n    is_refused(1)\n", "test_a")

    assert Suite(History([File(path="src/helpers.py", text=HELPERS), *told.events])).passing == []


def test_a_fixture_may_send_the_requests_but_asserts_nothing_for_a_test() -> None:
    fixtures = (
        f"import pytest\n{HELPERS}\n@pytest.fixture\ndef send():\n    assert create_app()\n    return ask\n"
    )
    text = "def test_a(send):\n    assert send({}).status_code == 200\n\ndef test_b(send):\n    send({})\n"
    told = history(text, "test_a", "test_b")
    suite = Suite(History([File(path="tests/conftest.py", text=fixtures), *told.events]))

    assert [case.name for case in suite.requesting()] == ["test_a"]
    assert suite.using("src.models") == []


def test_helpers_that_call_each_other_end() -> None:
    told = history("from tests.b import f\n\ndef test_a():\n    assert f()\n\ndef g():\n    f()\n", "test_a")
    other = File(path="tests/b.py", text="from tests.test_models import g\n\ndef f():\n    g()\n    f()\n")

    assert len(Suite(History([other, *told.events])).passing) == 1


@pytest.mark.parametrize("mark", ["skip", "xfail(strict=False)"])
def test_a_mark_for_the_whole_module_counts_for_each_test(mark: str) -> None:
    text = f"import pytest\npytestmark = pytest.mark.{mark}\n\ndef test_a():\n    assert len('a') == 1\n"

    assert Suite(history(text, "test_a")).passing == []


@pytest.mark.parametrize(
    "decorators",
    [
        '@pytest.mark.skipif(sys.platform == "win32", reason="signals")',
        '@pytest.mark.parametrize("n", [1, pytest.param(3, marks=pytest.mark.xfail)])',
    ],
)
def test_a_condition_that_did_not_skip_and_the_mark_of_one_parameter_leave_nothing_out(
    decorators: str,
) -> None:
    text = f"import sys\nimport pytest\n\n{decorators}\ndef test_a(n=1):\n    assert n\n"

    assert len(Suite(history(text, "test_a")).passing) == 1


BASES = """
import unittest
from fastapi.testclient import TestClient
from src.main import app


class ApiCase(unittest.TestCase):
    def setUp(self):
        self.web = TestClient(app)

    def ask(self, body):
        return self.web.post("/x", json=body)

    def is_refused(self, body):
        assert self.ask(body).status_code == 422


class Shared:
    def test_inherited(self):
        assert TestClient(app).get("/x").status_code == 404
"""
DERIVED = """
class TestApi(ApiCase):
    def test_answer(self):
        self.assertEqual(self.ask({"n": 1}).status_code, 200)

    def test_refusal(self):
        self.is_refused({})

    def test_nothing(self):
        self.ask({})
"""


@pytest.mark.parametrize(
    ("base", "line"),
    [
        (None, BASES),
        ("tests/support/bases.py", "from tests.support.bases import ApiCase"),
        ("tests/support/bases.py", "from .support.bases import *"),
    ],
)
def test_a_class_has_the_methods_of_its_bases(base: str | None, line: str) -> None:
    names = tuple(f"TestApi.{name}" for name in ("test_answer", "test_refusal", "test_nothing"))
    told = history(f"{line}\n{DERIVED}", *names)
    suite = Suite(History([*([File(path=base, text=BASES)] if base else []), *told.events]))

    assert [case.name for case in suite.requesting()] == list(names[:2])
    assert [case.name for case in suite.passing] == list(names[:2])


def test_bases_may_be_named_by_their_module() -> None:
    told = history(
        f"from tests import bases\n{DERIVED.replace('ApiCase', 'bases.ApiCase')}", "TestApi.test_answer"
    )

    assert len(Suite(History([File(path="tests/bases.py", text=BASES), *told.events])).requesting()) == 1


def test_classes_that_are_each_others_base_end() -> None:
    text = "class A(B):\n    def test_a(self):\n        assert len('')\n\nclass B(A):\n    pass\n"

    assert len(Suite(history(text, "B.test_a")).passing) == 1


def test_an_inherited_test_is_reported_with_the_file_of_its_base() -> None:
    name = "tests.test_models.TestApi.test_inherited"
    case = OwnTest(file="tests/bases.py", name=name, outcome="passed")
    text = "from tests.bases import Shared\n\nclass TestApi(Shared):\n    pass\n"
    files = [File(path="tests/bases.py", text=BASES), File(path="tests/test_models.py", text=text)]

    assert Suite(History([*files, OwnTests(cases=(case,))])).requesting() == [case]


MODELS = """
import unittest
from contextlib import nullcontext

import pytest
from parameterized import parameterized
from pydantic import TypeAdapter

from src.models.requests import Message
import src.models.requests
import src.main

adapter = TypeAdapter(Message)
CASES = [("user", nullcontext()), ("robot", pytest.raises(ValueError))]


def test_by_a_variable():
    with pytest.raises(ValueError):
        adapter.validate_python({})


def test_by_a_factory(make_message):
    assert make_message("user").role == "user"


@pytest.mark.parametrize(("role", "expectation"), CASES)
def test_expectation(role, expectation):
    with expectation:
        Message(role=role, content="x")


def test_dotted():
    assert src.models.requests.Message(role="user", content="x").role == "user"


if unittest:
    def test_under_a_condition():
        assert Message.model_fields


class TestOuter:
    class TestInner:
        def test_nested(self):
            assert Message.model_fields


class TestExpanded(unittest.TestCase):
    @parameterized.expand([("user",), ("system",)])
    def test_role(self, role):
        self.assertEqual(Message(role=role, content="x").role, role)


class TestSetUp(unittest.TestCase):
    def setUp(self):
        self.message = Message(role="user", content="x")

    def test_message(self):
        self.assertEqual(self.message.role, "user")


class TestAutouse:
    @pytest.fixture(autouse=True)
    def _message(self):
        self.message = Message(role="user", content="x")

    def test_message(self):
        assert self.message.role == "user"


def describe_message():
    def has_a_role():
        assert Message.model_fields


class Expect:
    def __init__(self, message):
        self.message = message

    def role(self, role):
        assert self.message.role == role


def test_by_an_object():
    Expect(Message(role="user", content="x")).role("user")
"""
MAKE = """
import pytest
from src.models.requests import Message

@pytest.fixture
def make_message():
    return lambda role: Message(role=role, content="x")
"""


@pytest.mark.parametrize(
    "name",
    [
        *(
            "test_by_a_variable",
            "test_by_a_factory",
            "test_expectation",
            "test_dotted",
            "test_under_a_condition",
        ),
        *("TestOuter.TestInner.test_nested", "TestExpanded.test_role_0_user", "TestSetUp.test_message"),
        *("TestAutouse.test_message", "describe_message.has_a_role", "test_by_an_object"),
    ],
)
def test_models_are_tested_in_many_ways(name: str) -> None:
    conftest = File(path="tests/conftest.py", text=MAKE)

    assert len(Suite(History([conftest, *history(MODELS, name).events])).using("src.models")) == 1


def test_what_a_star_import_brings_comes_from_its_module() -> None:
    models = File(path="src/models/requests.py", text="class Message:\n    pass\n")
    told = history("from src.models.requests import *\n\ndef test_a():\n    assert Message()\n", "test_a")

    assert len(Suite(History([models, *told.events])).using("src.models")) == 1


def test_what_a_test_of_something_else_is_given_is_not_what_it_is_about() -> None:
    text = """
from src.models.requests import Message
from src.services.llm import complete

HELLO = Message(role="user", content="Hello")

def test_a():
    assert complete(HELLO)

def test_b():
    assert HELLO.role == "user"
"""
    suite = Suite(history(text, "test_a", "test_b"))

    assert [case.name for case in suite.using("src.models")] == ["test_b"]


def test_what_stands_behind_a_client_is_not_what_a_test_is_about() -> None:
    conftest = """
import pytest
from fastapi.testclient import TestClient
from src.main import app
from src.models.responses import ChatResponse

class Fake:
    def complete(self):
        return ChatResponse(content="x")

@pytest.fixture
def client():
    app.state.service = Fake()
    return TestClient(app)
"""
    told = history("def test_a(client):\n    assert client.get('/x').status_code == 200\n", "test_a")
    suite = Suite(History([File(path="tests/conftest.py", text=conftest), *told.events]))

    assert (len(suite.requesting()), suite.using("src.models")) == (1, [])


@pytest.mark.parametrize(
    "text",
    [
        "from httpx import AsyncClient\n\ndef test_a():\n    assert AsyncClient(app=app).get('/x')\n",
        "from django.test import Client\n\ndef test_a():\n    assert Client().get('/x').status_code == 200\n",
        "import falcon.testing\n\ndef test_a():\n    assert falcon.testing.TestClient(app).simulate_get('/x').json\n",
        "schema = from_asgi('/openapi.json', app)\n\n@schema.parametrize()\ndef test_a(case):\n    case.call_and_validate()\n",
        "import httpx, uvicorn\n\ndef test_a():\n    uvicorn.Server(config)\n    assert httpx.get(url).json()\n",
        "import httpx\n\ndef test_a():\n    Popen(['uvicorn', 'src.main:app'])\n    assert httpx.get(url).json()\n",
    ],
)
def test_there_are_many_clients(text: str) -> None:
    assert len(Suite(history(text, "test_a")).requesting()) == 1


def test_a_suite_that_would_take_very_long_to_read_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(python_tests, "MOST_VISITS", 1_000)
    helpers = "".join(f"def h{number}():\n    h{number + 1}()\n" for number in range(50))
    tests = "".join(f"def test_{number}():\n    assert h0()\n" for number in range(50))
    told = history(helpers + tests, *(f"test_{number}" for number in range(50)))

    assert 0 < len(Suite(told).passing) < 50


def test_failing_tests_are_told_apart() -> None:
    told = History([OwnTests(cases=(OwnTest(file="tests/test_a.py", name="test_a", outcome="failed"),))])

    assert [case.name for case in Suite(told).failing] == ["test_a"]
    assert Suite(told, "a fault").event is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("conftest.py", "def pytest_runtest_makereport(item, call): ..."),
        ("tests/conftest.py", "class Plugin:\n    def pytest_sessionfinish(self): ..."),
        ("tests/plugins/fake.py", "def pytest_report_teststatus(report): ..."),
        ("src/helpers.py", "def pytest_runtest_logreport(report): ..."),
        ("tests/test_a.py", "from _pytest import runner"),
        ("tests/test_a.py", "import _pytest.reports"),
        ("tests/test_a.py", "from _pytest.junitxml import LogXML"),
        ("tests/conftest.py", "import atexit\natexit.register(print)"),
        ("tests/conftest.py", "import os\nos._exit(0)"),
    ],
)
def test_what_can_change_results_is_found(path: str, text: str) -> None:
    assert path in tampering([File(path=path, text=text)])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("tests/conftest.py", "def pytest_configure(config): ..."),
        ("tests/conftest.py", "from _pytest.monkeypatch import MonkeyPatch"),
        ("tests/conftest.py", "def pytest_collection_modifyitems(items): ..."),
        ("src/main.py", "import atexit\natexit.register(print)"),
        ("tests/test_a.py", "def broken(:"),
    ],
)
def test_what_cannot_is_left_alone(path: str, text: str) -> None:
    assert tampering([File(path=path, text=text)]) == ""
