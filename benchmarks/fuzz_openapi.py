"""Whether the service fails on anything that its OpenAPI description allows, or nearly allows.

    uv run --with schemathesis python benchmarks/fuzz_openapi.py [--cases 10000] [--seed 1]

Schemathesis asks the service, which has a real PostgreSQL and Redis and a scripted model. It makes about `--cases`
requests, as many of each endpoint that takes anything. Exits with 1 if schemathesis finds a failure, or if any answer is
a 5xx or none: all that the service rests on works, so it has no reason for one.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.api.deployment import log_in, run_backends, run_instance

CHECKS = ("not_a_server_error", "content_type_conformance", "response_schema_conformance")
# Everything that a request can pass is switched on.
VARIABLES = {
    "RATE_LIMITS": '{"enterprise": "1000000/minute", "free": "1000/minute"}',
    "TOKEN_LIMITS": '{"enterprise": "1000000000/minute"}',
    "DAILY_BUDGETS": '{"user:admin": 1000000}',
    "MODEL_ROUTES": '[{"task": "code", "model": "gpt-4o-secondary", "fallback": "gemini-third"}]',
    "MODEL_VARIANTS": '{"gpt-4o-secondary": {"gpt-4o-secondary": 9, "gemini-third": 1}}',
    "SEMANTIC_CACHE": '{"model": "gpt-4o-secondary"}',
    "CONTENT_FILTERS": '["secrets", "personal_data"]',
}


async def fuzz(program: str, *, cases: int, seed: int) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            run_backends() as backends,
            run_instance(backends.variables | VARIABLES, folder) as service,
        ):
            await service.wait_until_delivered()
            async with httpx.AsyncClient(base_url=service.url, trust_env=False) as client:
                token = await log_in(client)
                schema = (await client.get("/openapi.json")).json()
            endpoints = [endpoint for path in schema["paths"].values() for endpoint in path.values()]
            # The others are asked once or twice: there is nothing to vary.
            varied = [endpoint for endpoint in endpoints if {"parameters", "requestBody"} & endpoint.keys()]
            clean = await _run(
                [
                    program,
                    *("run", f"{service.url}/openapi.json", "--header", f"Authorization: Bearer {token}"),
                    *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"),
                    *("--max-examples", str(max(1, cases // len(varied))), "--seed", str(seed)),
                    *("--continue-on-failure", "--suppress-health-check", "all", "--request-timeout", "60"),
                    *("--generation-database", "none"),
                ],
                folder,
            )
            alive = service.process.returncode is None
        requests = [record for record in _records(service.log) if record.get("message") == "request"]
    statuses = Counter(record["status"] for record in requests)
    failed = {
        (record["method"], record["path"], record["status"])
        for record in requests
        if not 0 < record["status"] < 500
    }
    print(
        f"{len(requests)} requests of {len(endpoints)} endpoints, by status: {dict(sorted(statuses.items()))}"
    )
    for failure in sorted(failed):
        print("failed:", *failure)
    return clean and alive and not failed


async def _run(command: list[str], folder: Path) -> bool:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder)
    return await process.wait() == 0


def _records(log: Path) -> Iterator[dict[str, Any]]:
    with log.open() as lines:
        yield from map(json.loads, lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    program = shutil.which("st")
    if program is None:
        sys.exit("schemathesis is missing: uv run --with schemathesis python benchmarks/fuzz_openapi.py")
    return 0 if asyncio.run(fuzz(program, cases=options.cases, seed=options.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
