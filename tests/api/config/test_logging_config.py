import gc
import json
import logging
import sys
import threading
import warnings

import pytest
import structlog

from tests.api.support import PASSWORD, SECRET, Records


def test_every_source_is_json(records: Records) -> None:
    structlog.get_logger("ours").info("one", answer=42)
    logging.getLogger("uvicorn.error").info("two %s", "args", extra={"color_message": "coloured"})
    logging.getLogger("a.library").warning("three\nlines\n")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn("four", stacklevel=1)
    one, two, three, four = records()
    assert (one["message"], one["answer"], one["level"], one["logger"]) == ("one", 42, "info", "ours")
    assert two["message"] == "two args"
    assert "color_message" not in two
    assert three["message"] == "three\nlines"
    assert "four" in four["message"]
    assert all({"timestamp", "level", "message"} <= record.keys() for record in (one, two, three, four))


def test_tracebacks_are_one_record_without_local_variables(records: Records) -> None:
    def fail() -> None:
        local = "canary-local"
        raise ValueError(len(local))

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("failed")
    (record,) = records()
    assert record["exception"][0]["exc_type"] == "ValueError"
    assert "canary-local" not in json.dumps(record)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_uncaught_exceptions_are_records(records: Records) -> None:
    class Stubborn:
        def __del__(self) -> None:
            raise ValueError("in a destructor")

    error = ValueError("at the top")
    sys.excepthook(ValueError, error, None)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    Stubborn()
    gc.collect()
    top, in_thread, ignored = records()
    assert top["level"] == "critical"
    assert in_thread["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert ignored["exception"][0]["exc_value"] == "in a destructor"


def test_secrets_are_blotted_out_wherever_they_turn_up(records: Records) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"
    log = structlog.get_logger()
    log.info("signed", key=f"<{SECRET}>", nested={"list": [PASSWORD]})
    log.info("header", authorization=f"Bearer {token}", raw=token)
    try:
        int(PASSWORD)
    except ValueError:
        log.exception("failed")
    text = json.dumps(records())
    assert text.count("[redacted]") == 5
    assert not any(secret in text for secret in (SECRET, PASSWORD, token))


def test_what_cannot_be_formatted_breaks_nothing(records: Records) -> None:
    structlog.get_logger().info("surrogate \ud800", odd=object())
    logging.getLogger("a.library").error("%d", "not a number")
    structlog.get_logger().info("after")
    assert [record["message"] for record in records()][-1] == "after"
