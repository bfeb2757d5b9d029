"""`python -m loadtests`: locust without its page, with thresholds; the exit code is the verdict."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from gyrus.client import GatewayClient
from gyrus.settings import PlatformSettings

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the scenario and return locust's exit code: 0 within the thresholds, else 1.

    Exits with 2 where no gateway answers.
    """
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    here = f"http://127.0.0.1:{PlatformSettings().port}"
    parser.add_argument("--url", default=here, help="the gateway (on this machine: GYRUS_PORT)")
    parser.add_argument("--users", type=int, default=4, help="people at the same time")
    parser.add_argument("--seconds", type=int, default=60, help="how long")
    parser.add_argument("--max-error-rate", type=float, default=0.01, help="0.01 is 1 %%")
    parser.add_argument("--max-p95-ms", type=float, default=2000.0, help="of an upload")
    given = parser.parse_args()
    with GatewayClient(given.url) as gateway:
        if not gateway.is_alive():
            parser.error(f"no gateway answers at {given.url}: start one, or name it with --url")
    command = [
        *(sys.executable, "-m", "locust", "--locustfile", str(HERE / "locustfile.py")),
        *("--headless", "--only-summary", "--host", given.url),
        *("--users", str(given.users), "--spawn-rate", str(max(1, given.users // 4))),
        *("--run-time", f"{given.seconds}s", "--stop-timeout", "10"),
        *("--max-error-rate", str(given.max_error_rate), "--max-p95-ms", str(given.max_p95_ms)),
    ]
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
