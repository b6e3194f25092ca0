package continuous

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// outcome is what came of one try.
type outcome struct {
	err      error
	answered bool          // by a server, whatever it said
	final    bool          // trying again makes no sense
	pause    time.Duration // asked for; 0 leaves it to backoff
}

// send tries once.
func (up *uploader) send(j *job) (o outcome) {
	defer func() {
		if r := recover(); r != nil {
			up.log.warn("an upload panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			o = outcome{err: fmt.Errorf("upload panicked: %v", r), answered: true, final: true}
		}
	}()
	if !j.cleaned {
		if err := up.clean(j); err != nil {
			return outcome{err: err, final: true}
		}
	}
	ctx, cancel := context.WithTimeoutCause(up.ctx, tryTimeout, fmt.Errorf("no answer within %v", tryTimeout))
	defer cancel()
	request, err := up.request(ctx, j)
	if err != nil {
		return outcome{err: err, final: true}
	}
	response, err := up.client.Do(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return outcome{err: cause}
		}
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err // without the address
		}
		return outcome{err: err}
	}
	// A connection whose answer is not read to its end is closed, not kept:
	// what is cheap for an error, and a good answer is empty.
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	return up.judge(response, body)
}

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
		o.err = fmt.Errorf("%w: check BasicAuthUser, BasicAuthPassword and TenantID", o.err)
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

// quote is the beginning of a body, fit for one line of a log, without the
// credentials that a server may echo.
func (up *uploader) quote(body []byte) string {
	text := strings.ToValidUTF8(string(body), "?")
	for _, secret := range []string{up.password, up.basic()} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "...")
		}
	}
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

func (up *uploader) basic() string {
	if up.user == "" {
		return ""
	}
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(up.user, up.password)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}

// sampleType tells Pyroscope how to show a sample type.
type sampleType struct {
	Units       string `json:"units,omitempty"`
	Aggregation string `json:"aggregation,omitempty"`
	DisplayName string `json:"display-name,omitempty"`
	Sampled     bool   `json:"sampled,omitempty"`
}

// sampleTypes by kind. The display names decide which of Pyroscope's profile
// types a profile becomes.
var sampleTypes = map[kind]map[string]sampleType{
	kindCPU: {
		"samples": {Units: "samples", DisplayName: "samples"},
		"cpu":     {Units: "nanoseconds", DisplayName: "cpu", Sampled: true},
	},
	kindHeap: {
		"alloc_objects": {Units: "objects"},
		"alloc_space":   {Units: "bytes"},
		"inuse_objects": {Units: "objects", Aggregation: "average"},
		"inuse_space":   {Units: "bytes", Aggregation: "average"},
	},
	kindGoroutine: {
		"goroutine": {Units: "goroutines", Aggregation: "average", DisplayName: "goroutines"},
	},
	kindMutex: {
		"contentions": {Units: "lock_samples", DisplayName: "mutex_count"},
		"delay":       {Units: "lock_nanoseconds", DisplayName: "mutex_duration"},
	},
	kindBlock: {
		"contentions": {Units: "lock_samples", DisplayName: "block_count"},
		"delay":       {Units: "lock_nanoseconds", DisplayName: "block_duration"},
	},
}

// request writes the form that Pyroscope's /ingest reads.
func (up *uploader) request(ctx context.Context, j *job) (*http.Request, error) {
	types, err := json.Marshal(sampleTypes[j.kind])
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, part := range []struct {
		field, file string
		data        []byte
	}{
		{"profile", "profile.pprof", j.data},
		{"sample_type_config", "sample_type_config.json", types},
	} {
		w, err := form.CreateFormFile(part.field, part.file)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(part.data); err != nil {
			return nil, err
		}
	}
	if err := form.Close(); err != nil {
		return nil, err
	}
	query := url.Values{
		"name":       {up.name},
		"from":       {strconv.FormatInt(j.from.UnixNano(), 10)},
		"until":      {strconv.FormatInt(j.to.UnixNano(), 10)},
		"spyName":    {"gospy"},
		"sampleRate": {"100"},
	}
	if j.kind == kindGoroutine {
		query.Set("units", "goroutines")
		query.Set("aggregationType", "average")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, up.endpoint+"?"+query.Encode(), &body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	request.Header.Set("User-Agent", "latido")
	if up.user != "" {
		request.SetBasicAuth(up.user, up.password)
	}
	if up.tenant != "" {
		request.Header.Set("X-Scope-OrgID", up.tenant)
	}
	return request, nil
}
