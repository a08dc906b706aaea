"""Which tests in JavaScript assert something, by their text."""

import time

import pytest

from chaos.history import File, OwnTest
from lab.javascript_tests import JavaScriptTests, tampering

pytestmark = pytest.mark.medium

PATH = "tests/chat.test.js"


def asserts(text: str, name: str = "works", *more: File) -> bool:
    case = OwnTest(file=PATH, name=name, outcome="passed")
    return JavaScriptTests([File(path=PATH, text=text), *more]).asserts(case)


@pytest.mark.parametrize(
    "body",
    [
        "assert.equal(await f(), 1)",
        "assert(f())",
        "expect(f()).toBe(1)",
        "await expect(f()).rejects.toThrow()",
        "t.assert.ok(f())",
        "answer.body.should.have.property('id')",
        "return request(app).get('/').expect(200)",
        "sinon.assert.calledOnce(f)",
        "if (!f()) throw new Error('none')",
        "check(f())",
        "same(f(), 1)",
        "strict.equal(f(), 1)",
    ],
)
def test_what_asserts(body: str) -> None:
    text = f"""
import strict, {{ equal as same }} from "node:assert/strict";
function check(value) {{
  assert.ok(value);
}}
test("before", () => {{}});
test("works", async (t) => {{ const f = () => 1; {body}; }});
"""
    assert asserts(text)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "f()",
        "assert.ok(true)",
        "assert.equal(1, 1)",
        "expect(true).toBe(true)",
        "expect(x).toBe(x)",
        "// assert.equal(f(), 1)\n",
        "console.log('nothing')",
    ],
)
def test_what_asserts_nothing(body: str) -> None:
    following = "test('another', () => { assert.equal(f(), 1); });"
    assert not asserts(f"test('works', () => {{ {body} }});\n{following}")


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("test('works'", "works"),
        ('it("works"', "works"),
        ("test(`works`", "works"),
        ("test.only('works'", "works"),
        ("t.test('works'", "works"),
        ("it('does not (yet) work'", "does not (yet) work"),
        ("it('the user\\'s'", "the user's"),
        ("test(`answers ${status} at once`", "answers 503 at once"),
        ("test.each([1, 2])('number %d of two'", "number 2 of two"),
        ("it.each([['a', f(1)]])('number %s'", "number a"),
        ("it.each([\n  ['a', 1],\n  ['b', 2],\n])('number %s'", "number a"),
        ("it.each([\n  { name: 'a', make: () => f(1) },\n])('number $name'", "number a"),
        ("it.each`\n  a | b\n  ${1} | ${2}\n`('adds $a'", "adds 1"),
        ("test.for([\n  [1, 2],\n])('adds %i'", "adds 1"),
        ("test.skipIf(process.platform === 'win32')('works'", "works"),
        ("for (const { name } of cases) test(name", "a case"),
        ("for (const one of cases) t.test(one.name", "a case"),
        ("test('refuses ' + name", "refuses a case"),
        ("test(`refuses ${names.map((one) => one.trim()).join()}`", "refuses a case"),
        ("test([first, second].join(' ')", "a case"),
    ],
)
def test_titles(call: str, name: str) -> None:
    assert asserts(f"{call}, () => {{ expect(f(')')).toBe(1); }});", name)


@pytest.mark.parametrize(
    "call",
    [
        "test.skip('works'",
        "it.todo('works'",
        "test.skip(name",
        "test('other'",
        "/x/.test(name",
        "t.after(name",
        "t.assert.ok(name",
    ],
)
def test_what_is_no_such_test(call: str) -> None:
    assert not asserts(f"{call}, () => {{ expect(f()).toBe(1); }});")


def test_computed_titles_count_only_if_all_of_them_assert() -> None:
    asserting = "test(first, () => { assert.equal(f(), 1); });"
    assert asserts(asserting)
    assert not asserts(f"{asserting}\ntest(second, () => {{ f(); }});")


def test_a_title_that_is_written_out_is_not_taken_for_a_computed_one() -> None:
    assert not asserts("test('works', () => { f(); });\ntest(name, () => { assert.equal(f(), 1); });")


@pytest.mark.parametrize(
    "helper",
    [
        "async function body() {\n  assert.ok(f());\n}",
        "const body = async () => {\n  assert.ok(f());\n};",
        "const body = t => t.assert.ok(f());",
    ],
)
def test_a_body_that_has_a_name(helper: str) -> None:
    assert asserts(f"{helper}\ntest('works', body);")
    assert asserts(f"{helper}\ntest('works', {{ timeout: 5 }}, body,\n);")
    assert not asserts(f"{helper}\ntest('works', other);")


@pytest.mark.parametrize(
    "text",
    [
        "fetch(`${url}//twice`); assert.equal(f(), 1);",
        "glob('src/**/*.js'); assert.equal(f(), glob('tests/**/*.js'));",
        "/[)}\\]]/.test(g()); assert.equal(f(), 1);",
        "/[({]/.test(g()); assert.equal(f(), 1);",
        "/it's/.test(g()); assert.equal(f(), 1);",
    ],
)
def test_quotations_and_patterns_do_not_end_a_test(text: str) -> None:
    assert asserts(f"test('works', () => {{ {text} }});")


def test_many_calls_without_an_end_take_no_time() -> None:
    assert not asserts("test(`a`, " * 40_000)
    assert not asserts("it.each(" * 40_000)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("import" + " " * 20_000, id="blanks in an import"),
        pytest.param("t." * 20_000, id="members of members"),
        pytest.param("test('works', () => { expect(" + "1" * 100 + " });", id="a long number"),
        pytest.param("test('works', () => { f" + " " * 40_000 + "; });", id="blanks in a test"),
    ],
)
def test_texts_are_read_in_no_time(text: str) -> None:
    began = time.process_time()
    asserts(text)
    assert time.process_time() - began < 1


def test_a_test_may_send_signals_to_a_process_that_it_started() -> None:
    assert not tampering([File(path=PATH, text="process.kill(child.pid, 'SIGTERM')")])


def test_a_helper_ends_before_the_test_that_follows_it() -> None:
    helper = "const pick = (one) => one.name;\ntest('asserts', () => {\n  assert.equal(pick(f()), 1);\n});"
    assert asserts(helper, "asserts")
    assert not asserts(f"{helper}\ntest('works', () => {{ pick(f()); }});")


def test_a_helper_in_another_file() -> None:
    helper = File(path="tests/help.js", text="export const check = async (one) => {\n  assert.ok(one);\n};\n")
    assert asserts("test('works', () => check(f()));", "works", helper)


@pytest.mark.parametrize(
    "line",
    [
        "process.exit(0)",
        "process.kill(process.pid)",
        "process.kill(parent)",
        "process.exitCode = 0",
        "readFileSync(`/proc/${process.ppid}/cmdline`)",
        "argv.find((one) => one.startsWith('--test-reporter-destination'))",
    ],
)
def test_what_can_change_results(line: str) -> None:
    assert tampering([File(path=PATH, text=line)])
    assert not tampering([File(path="src/latest.js", text=line)])
    assert not tampering([File(path=PATH, text=f"// {line}")])
