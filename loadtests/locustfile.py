"""What locust reads: the scenario, and the thresholds that set its exit code."""

import logging
from typing import Any

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtests.scenarios.clinician import UPLOAD, Clinician, slices

__all__ = ["Clinician"]

logger = logging.getLogger(__name__)


def add_thresholds(parser: LocustArgumentParser) -> None:
    """Add the thresholds to locust's arguments."""
    parser.add_argument("--max-error-rate", type=float, default=0.01)
    parser.add_argument("--max-p95-ms", type=float, default=2000.0)


def draw_slices(environment: Environment, **_: object) -> None:
    """Draw the images before the clock runs."""
    slices()


def judge(environment: Environment, **_: object) -> None:
    """Exit with 1 when a threshold is crossed, or when no upload was made at all."""
    options: Any = environment.parsed_options
    uploads = environment.stats.get(UPLOAD, "POST")
    errors = environment.stats.total.fail_ratio
    p95 = uploads.get_response_time_percentile(0.95) if uploads.num_requests else None
    faults = []
    if errors > options.max_error_rate:
        faults.append(f"{errors:.2%} of requests failed; at most {options.max_error_rate:.2%} may")
    if p95 is None:
        faults.append("no upload was answered")
    elif p95 > options.max_p95_ms:
        faults.append(f"p95 of uploads was {p95:.0f} ms; at most {options.max_p95_ms:.0f} may be")
    for fault in faults:
        logger.error("Threshold crossed: %s", fault)
    if not faults:
        logger.info("Within thresholds: %.2f%% errors, p95 of uploads %.0f ms", 100 * errors, p95)
    environment.process_exit_code = 1 if faults else 0


events.init_command_line_parser.add_listener(add_thresholds)  # type: ignore[no-untyped-call]
events.init.add_listener(draw_slices)  # type: ignore[no-untyped-call]
events.quitting.add_listener(judge)  # type: ignore[no-untyped-call]
