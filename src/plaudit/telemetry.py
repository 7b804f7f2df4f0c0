"""Logs, counters and histograms. (A metric is something else here: what is counted for members.)"""

import logging
import os
import sys
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from plaudit.tracebacks import without_values

# Whether the server's processes share their counters, in files in this folder (set by `plaudit serve`).
SHARED = bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

actions_accepted = Counter("plaudit_actions_accepted_total", "Actions stored durably.")
events_decided = Counter("plaudit_events_decided_total", "Events decided, by state.", ["state"])
faults_contained = Counter(
    "plaudit_faults_contained_total", "Parts of decisions (campaigns, effects, …) that failed and were refused."
)
decide_lag_seconds = Histogram(
    "plaudit_decide_lag_seconds", "Time from receiving a batch's oldest event until it is decided.", buckets=_SECONDS
)
decide_seconds = Histogram("plaudit_decide_seconds", "Deciding one batch.", buckets=_SECONDS)
commit_seconds = Histogram("plaudit_commit_seconds", "Time to write and commit one batch.", buckets=_SECONDS)
batch_seconds = Histogram("plaudit_batch_seconds", "One batch: load, decide, commit.", buckets=_SECONDS)
webhook_attempts = Counter("plaudit_webhook_attempts_total", "Webhook delivery attempts, by result.", ["result"])
chore_seconds = Histogram(
    "plaudit_chore_seconds",
    "One pass of a background job, without the wait for its slot.",
    ["chore"],
    buckets=(0.01, 0.1, 1, 10, 60, 600),
)
chore_failures = Counter(
    "plaudit_chore_failures_total",
    "Passes of background jobs that raised, and documents that made one fail.",
    ["chore"],
)
requests_total = Counter("plaudit_requests_total", "HTTP requests, by response status.", ["status"])


class _Library(logging.Handler):
    """A handler that writes libraries' log records as our own entries. Only the first line, as others can show objects."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write an entry."""
        first_line = record.getMessage().partition("\n")[0]
        entry: dict[str, Any] = {"logger": record.name, "message": first_line}
        structlog.get_logger(record.name).log(record.levelno, "library", exc_info=record.exc_info, **entry)


def configure_logs() -> None:
    """Write one JSON object per line to standard error, without personal data."""
    logging.basicConfig(handlers=[_Library()], level=logging.WARNING, force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            without_values,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
