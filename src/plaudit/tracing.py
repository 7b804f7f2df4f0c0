"""OpenTelemetry traces from the request through the decision to the webhook, if an exporter is configured.

Set OTEL_EXPORTER_OTLP_ENDPOINT to enable tracing. The correlation id is also the trace's id, so tracing costs nothing
while it is off.
"""

import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

ENABLED = bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))

_tracers: "list[Tracer]" = []


def _tracer() -> "Tracer":
    if not _tracers:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(resource=Resource.create({"service.name": "plaudit"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        _tracers.append(provider.get_tracer("plaudit"))
    return _tracers[0]


def now() -> int:
    """Return the current time in nanoseconds, or 0 without an exporter."""
    return time.time_ns() if ENABLED else 0


def record(name: str, correlation_id: str | None, started: int, kind: str = "internal", **attributes: Any) -> None:
    """Record a span that has just ended in the trace of a correlation id, if an exporter is configured."""
    if not ENABLED or correlation_id is None or len(correlation_id) != 32:
        return
    from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

    try:
        trace_id = int(correlation_id, 16)
    except ValueError:
        return
    # All spans of a trace have the same parent, so processes need not pass span ids on.
    root = SpanContext(
        trace_id, trace_id & (2**64 - 1) or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    context = set_span_in_context(NonRecordingSpan(root))
    span = _tracer().start_span(
        name, context=context, kind=SpanKind[kind.upper()], start_time=started, attributes=attributes
    )
    span.end()
