package continuous

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/grafana/pyroscope-go/upstream"
)

// outcome is what came of one try.
type outcome struct {
	err      error
	answered bool          // by a server, whatever it said
	final    bool          // trying again makes no sense
	pause    time.Duration // asked for; 0 leaves it to backoff
}

// send tries once: pyroscope-go writes the request, and Do makes it.
func (up *uploader) send(j *job) (o outcome) {
	defer up.recovered(&o)
	if !j.cleaned {
		if err := j.clean(); err != nil {
			return outcome{err: err, final: true}
		}
	}
	ctx, cancel := context.WithTimeoutCause(up.ctx, tryTimeout, fmt.Errorf("no answer within %v", tryTimeout))
	defer cancel()
	up.try, up.came = ctx, outcome{err: errors.New("pyroscope-go made no request"), final: true}
	how := uploads[j.kind]
	up.remote.Upload(&upstream.UploadJob{
		Name: up.name, StartTime: j.from, EndTime: j.to, SpyName: "gospy", SampleRate: 100, Format: upstream.FormatPprof,
		Profile: j.data, Units: how.units, AggregationType: how.aggregation, SampleTypeConfig: how.types,
	})
	up.remote.Flush()
	return up.came
}

// Do is the HTTP client of up.remote, whose goroutine calls it once between the
// Upload and the end of the Flush of a try. It bounds the try in time and the
// answer in bytes, which the Remote does not, and keeps what came of it: the
// Remote would only log that.
func (up *uploader) Do(request *http.Request) (*http.Response, error) {
	up.came = up.exchange(request.WithContext(up.try))
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func (up *uploader) exchange(request *http.Request) (o outcome) {
	defer up.recovered(&o) // a RoundTripper of the user's
	response, err := up.client.Do(request)
	if err != nil {
		if cause := context.Cause(up.try); cause != nil {
			return outcome{err: cause}
		}
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address
		}
		if text := up.redact(err.Error()); text != err.Error() {
			err = errors.New(text)
		}
		return outcome{err: err}
	}
	// A connection whose answer is not read to its end is closed, not kept:
	// what is cheap for an error, and a good answer is empty.
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	return up.judge(response, body)
}

// recovered makes a panic an outcome.
func (up *uploader) recovered(o *outcome) {
	if r := recover(); r != nil {
		text := up.redact(fmt.Sprint(r))
		up.log.warn("an upload panicked", "panic", text, "stack", string(debug.Stack()))
		*o = outcome{err: fmt.Errorf("upload panicked: %s", text), answered: true, final: true}
	}
}

// silent is a logger for up.remote: what it says, the outcome of a try says.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
func (silent) Errorf(string, ...any) {}

// judge says what an answer means.
func (up *uploader) judge(response *http.Response, body []byte) outcome {
	status := response.StatusCode
	if status >= 200 && status < 300 {
		return outcome{answered: true}
	}
	o := outcome{answered: true, err: fmt.Errorf("%s: %s", response.Status, up.quote(body))}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		o.pause = deniedPause
		o.answered = false // the profile is not to blame: keep it until somebody mends the credentials
		o.err = fmt.Errorf("%w: check BasicAuthUser, BasicAuthPassword, TenantID and HTTPHeaders", o.err)
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		if s, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && s > 0 {
			o.pause = min(time.Duration(min(s, 3600))*time.Second, deniedPause)
		}
	case status >= 500 || status == http.StatusRequestTimeout:
	case status >= 300 && status < 400:
		o.final = true
		o.err = fmt.Errorf("%s: redirects are not followed: write the address that it leads to", response.Status)
	default:
		o.final = true
	}
	return o
}

// quote is the beginning of a body, fit for one line of a log.
func (up *uploader) quote(body []byte) string {
	text := up.redact(strings.ToValidUTF8(string(body), "?"))
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "..."
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) { // no second line, no escape codes
			return ' '
		}
		return r
	}, text))
}

// redact takes the secrets out, which servers and proxies echo: also one that
// the end of the text cuts off.
func (up *uploader) redact(text string) string {
	for _, secret := range up.secrets {
		text = strings.ReplaceAll(text, secret, "...")
		for n := min(len(secret), len(text)); n >= minSecret; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				text = text[:len(text)-n] + "..."
				break
			}
		}
	}
	return text
}

// upload is how a kind of profile is described to Pyroscope.
type upload struct {
	units, aggregation string
	types              map[string]*upstream.SampleType
}

// uploads by kind. The display names decide which of Pyroscope's profile types
// a profile becomes.
var uploads = map[kind]upload{
	kindCPU: {types: map[string]*upstream.SampleType{
		"samples": {Units: "samples", DisplayName: "samples"},
		"cpu":     {Units: "nanoseconds", DisplayName: "cpu", Sampled: true},
	}},
	kindHeap: {types: map[string]*upstream.SampleType{
		"alloc_objects": {Units: "objects"},
		"alloc_space":   {Units: "bytes"},
		"inuse_objects": {Units: "objects", Aggregation: "average"},
		"inuse_space":   {Units: "bytes", Aggregation: "average"},
	}},
	kindGoroutine: {"goroutines", "average", map[string]*upstream.SampleType{
		"goroutine": {Units: "goroutines", Aggregation: "average", DisplayName: "goroutines"},
	}},
	kindMutex: {types: map[string]*upstream.SampleType{
		"contentions": {Units: "lock_samples", DisplayName: "mutex_count"},
		"delay":       {Units: "lock_nanoseconds", DisplayName: "mutex_duration"},
	}},
	kindBlock: {types: map[string]*upstream.SampleType{
		"contentions": {Units: "lock_samples", DisplayName: "block_count"},
		"delay":       {Units: "lock_nanoseconds", DisplayName: "block_duration"},
	}},
	kindLeaks: {"goroutines", "average", map[string]*upstream.SampleType{
		"goroutineleak": {Units: "goroutines", Aggregation: "average", DisplayName: "goroutine_leak"},
	}},
}
