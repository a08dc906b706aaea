"""Which tests in JavaScript assert something, by their text."""

import pytest

from chaos.history import File, OwnTest
from lab.javascript_tests import JavaScriptTests, tampering

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
    ],
)
def test_titles(call: str, name: str) -> None:
    assert asserts(f"{call}, () => {{ expect(f(')')).toBe(1); }});", name)


@pytest.mark.parametrize("call", ["test.skip('works'", "it.todo('works'", "test('other'"])
def test_what_is_no_such_test(call: str) -> None:
    assert not asserts(f"{call}, () => {{ expect(f()).toBe(1); }});")


def test_a_helper_in_another_file() -> None:
    helper = File(path="tests/help.js", text="export const check = async (one) => {\n  assert.ok(one);\n};\n")
    assert asserts("test('works', () => check(f()));", "works", helper)


@pytest.mark.parametrize(
    "line",
    [
        "process.exit(0)",
        "process.exitCode = 0",
        "readFileSync(`/proc/${process.ppid}/cmdline`)",
        "argv.find((one) => one.startsWith('--test-reporter-destination'))",
    ],
)
def test_what_can_change_results(line: str) -> None:
    assert tampering([File(path=PATH, text=line)])
    assert not tampering([File(path="src/latest.js", text=line)])
    assert not tampering([File(path=PATH, text=f"// {line}")])
