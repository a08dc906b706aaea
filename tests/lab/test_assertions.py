import ast

import pytest

from lab.assertions import makes_assertion


@pytest.mark.parametrize(
    "line",
    [
        "assert value == 1",
        "assert value",
        "assert value == 1, 'a message'",
        "assert all(one for one in values)",
        "assert False, 'no error was raised'",
        "raise AssertionError('no error was raised')",
        "pytest.fail('no error was raised')",
        "with pytest.raises(ValueError): Message()",
        "with pytest.RaisesGroup(ValueError): Message()",
        "self.assertEqual(value, 1)",
        "self.assertTrue(value)",
        "self.assertEqual((one, two), (1, 2))",
        "assert (one, two) == (1, 2)",
        "mock.assert_called_once()",
        "assert_that(value, equal_to(1))",
        "check.equal(value, 1)",
    ],
)
def test_what_can_fail(line: str) -> None:
    assert makes_assertion(ast.parse(line))


@pytest.mark.parametrize(
    "line",
    [
        "value == 1",
        "assert True",
        "assert 1 == 1",
        "assert value == value",
        "assert value or True",
        "assert (value == 1, 'a message')",
        "assert [value]",
        "assert (one for one in values)",
        "assert lambda: value",
        "self.assertTrue(True)",
        "response.raise_for_status()",
        "raise ValueError(value)",
    ],
)
def test_what_cannot(line: str) -> None:
    assert not makes_assertion(ast.parse(line))
