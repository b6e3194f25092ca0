package telemetry

import (
	"context"
	"log/slog"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// spanQueue is the SDK's batcher, and counts what is lost on the way. The batcher
// drops spans without a word when its queue is full: so no more are handed to
// it than fit in.
type spanQueue struct {
	sdktrace.SpanProcessor // the batcher
	diagnostics            *diagnostics
	limit                  int64
	pending                atomic.Int64 // ended, and neither sent nor lost yet
	failed                 atomic.Pointer[error]
}

// flushes is how many calls of ForceFlush may wait at once: each takes a place
// in the batcher's queue.
const flushes = 16

func newSpanQueue(exporter sdktrace.SpanExporter, b batch, diagnostics *diagnostics) *spanQueue {
	q := &spanQueue{diagnostics: diagnostics, limit: int64(b.queue)}
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor(countedExporter{exporter, q},
		sdktrace.WithMaxQueueSize(b.queue+flushes),
		sdktrace.WithMaxExportBatchSize(b.size),
		sdktrace.WithBatchTimeout(max(b.delay, time.Millisecond)), // without a delay its loop would never rest
		sdktrace.WithExportTimeout(b.timeout))
	return q
}

// OnEnd hands the batcher a span that is to be sent, if there is room for it.
func (q *spanQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if q.pending.Add(1) > q.limit {
		q.pending.Add(-1)
		q.diagnostics.spansLost[lostQueue].Add(1)
		q.diagnostics.once("spans/queue", func(log *slog.Logger) {
			log.Warn("spans are lost: more end than can be sent; keep a part of the traces with OTEL_TRACES_SAMPLER"+
				", or raise OTEL_BSP_MAX_QUEUE_SIZE; further ones are only counted", "queue", q.limit)
		})
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// takeFailure is the error of an export that failed since this was last asked.
func (q *spanQueue) takeFailure() error {
	if err := q.failed.Swap(nil); err != nil {
		return *err
	}
	return nil
}

// countedExporter counts what became of spans.
type countedExporter struct {
	sdktrace.SpanExporter
	q *spanQueue
}

// ExportSpans sends spans. It returns no error: the batcher would hand it to
// OpenTelemetry's error handler at each export, which may be a stranger's.
func (e countedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	q := e.q
	defer q.pending.Add(-int64(len(spans)))
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		q.diagnostics.spanExports[exportSuccess].Add(1)
		return nil
	}
	lost, reason, outcome := int64(len(spans)), lostExport, exportFailure
	if n, ok := rejected(err); ok {
		lost, reason, outcome = min(n, lost), lostRejected, exportSuccess
	}
	q.diagnostics.spansLost[reason].Add(lost)
	q.diagnostics.spanExports[outcome].Add(1)
	q.failed.Store(&err)
	q.diagnostics.once("spans/"+lostReasons[reason], func(log *slog.Logger) {
		log.Warn("spans could not be sent by OTLP; further ones are only counted", "spans", lost, "reason", lostReasons[reason], "error", cleanValue(err.Error()))
	})
	return nil
}

// partial is how the exporter words the answer of a server that took a part of
// the spans: the type of that error is not exported.
var partial = regexp.MustCompile(`^traces export: OTLP partial success: (?s:.*) \((\d+) spans rejected\)$`)

// rejected is how many spans a server refused of those that it was sent.
func rejected(err error) (n int64, ok bool) {
	match := partial.FindStringSubmatch(err.Error())
	if match == nil {
		return 0, false
	}
	n, err = strconv.ParseInt(match[1], 10, 64)
	return n, err == nil
}
