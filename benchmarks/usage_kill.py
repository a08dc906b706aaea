"""Whether usage survives `kill -9`: `python benchmarks/usage_kill.py [--answers 1000] [--kills 20]`.

Asks a service that is killed again and again, with a real PostgreSQL behind it, and compares the answers that arrived
with the rows in the database. Exits with 1 if a row is missing or there twice.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.api.database import run_database
from tests.api.killed import Killed
from tests.api.support import PASSWORD, REFUSED, SECRET
from tests.api.upstream import run_upstream


async def measure(answers: int, kills: int) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with run_database() as database, run_upstream() as upstream:
            service = Killed(
                {
                    "JWT_SECRET_KEY": SECRET,
                    "AUTH_ADMIN_PASSWORD": PASSWORD,
                    "AUTH_USER_PASSWORD": PASSWORD,
                    "LITELLM_URL": upstream.url,
                    "QDRANT_URL": REFUSED,
                    "MLFLOW_TRACKING_URI": REFUSED,
                    "DATABASE_URL": database.url,
                    "USAGE_OUTBOX_PATH": f"{folder}/usage",
                    "TRACE_FALLBACK_PATH": f"{folder}/traces.jsonl",
                }
            )
            await service.run(answers=answers, kills=kills)
            left = [path for path in Path(folder, "usage").iterdir() if path.stat().st_size]  # noqa: ASYNC240  a tiny local folder
            rows = Counter(await database.request_ids())
    missing = service.answered - rows.keys()
    twice = [request_id for request_id, number in rows.items() if number > 1]
    print(f"{len(service.answered)} answers, {kills} kills, {time.monotonic() - began:.0f} s")
    print(f"{rows.total()} rows in the database, {len(left)} segments left on disk")
    print(f"missing: {len(missing)}, twice: {len(twice)}")
    print(f"recorded without an answer that arrived: {len(rows.keys() - service.answered)}")
    return not missing and not twice


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--answers", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    return 0 if asyncio.run(measure(options.answers, options.kills)) else 1


if __name__ == "__main__":
    sys.exit(main())
