"""Whose failure a build of an image is, by what Docker says."""

import pytest

from grading.images import TOO_LONG, may_be_the_network, names_a_public_registry

LOST = "dial tcp: lookup registry-1.docker.io on 10.0.0.1:53: no such host"
LEGACY = f'Step 1/3 : FROM python:3.13-slim\nGet "https://registry-1.docker.io/v2/": {LOST}\n'
BUILDKIT = (
    "------\n > [internal] load metadata for docker.io/library/python:3.13-slim:\n------\n"
    "ERROR: failed to solve: python:3.13-slim: failed to resolve source metadata for docker.io/library/python:3.13-slim:"
    f' failed to do request: Head "https://registry-1.docker.io/v2/library/python/manifests/3.13-slim": {LOST}'
)
SPOKEN = 'Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host'


@pytest.mark.parametrize(
    "output",
    [
        LEGACY,
        BUILDKIT,
        LEGACY.replace("registry-1.docker.io", "ghcr.io"),
        "Step 1/2 : FROM python:3.13\ntoomanyrequests: You have reached your pull rate limit.",
    ],
)
def test_a_registry_that_everybody_uses_is_the_machines_failure(output: str) -> None:
    assert names_a_public_registry(output)


@pytest.mark.parametrize(
    "output",
    [
        LEGACY.replace("registry-1.docker.io", "images.invalid"),
        f"{SPOKEN}\nThe command '/bin/sh -c python setup.py' returned a non-zero code: 1\n",
        f"{SPOKEN}\nCOPY failed: file not found in build context or excluded by .dockerignore: stat it: file does not exist",
        f"COPY failed: file not found in build context or excluded by .dockerignore: stat {SPOKEN}: file does not exist",
        f"ERROR: failed to solve: process \"/bin/sh -c echo '{SPOKEN}'\" did not complete successfully: exit code: 1",
        "Step 1/1 : FROM ghcr.io/nobody/nothing\npull access denied for nobody/nothing, repository does not exist",
    ],
)
def test_what_a_submission_can_cause_or_say_is_not(output: str) -> None:
    assert not names_a_public_registry(output)


@pytest.mark.parametrize(
    "output", [TOO_LONG, SPOKEN, "ERROR: No space left on device", "error: 503 Server Error"]
)
def test_what_the_network_may_have_caused_is_tried_with_an_image_of_the_graders(output: str) -> None:
    assert may_be_the_network(output)


@pytest.mark.parametrize(
    "output",
    [
        "pull access denied for nothing",
        "error: No solution found when resolving dependencies",
        "exit code: 1",
    ],
)
def test_other_failures_are_the_submissions_without_a_trial(output: str) -> None:
    assert not may_be_the_network(output)
