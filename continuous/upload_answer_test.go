package continuous

import (
	"strings"
	"testing"
	"time"
)

// TestQuote: of an answer's text the beginning is told, on one line, without secrets,
// also one that is cut off.
func TestQuote(t *testing.T) {
	t.Parallel()
	up := &uploader{secrets: []string{"correct-horse", "token"}}
	for text, want := range map[string]string{
		"": "", " no \n": "no", "a\x1b[31m\tb\x00": "a [31m b", "a\xffb": "a?b", "is correct-horse and token.": "is ... and ....",
		"is corr": "is ...", "is cor": "is cor", "is correct-hors": "is ...", "the toke": "the ...",
		strings.Repeat("a", maxErrorText):                     strings.Repeat("a", maxErrorText),
		strings.Repeat("a", maxErrorText+1):                   strings.Repeat("a", maxErrorText) + "...",
		strings.Repeat("a", maxErrorText-1) + "ñ":             strings.Repeat("a", maxErrorText-1) + "...",
		strings.Repeat("a", maxErrorText-6) + "correct-horse": strings.Repeat("a", maxErrorText-6) + "...",
	} {
		if got := up.quote([]byte(text)); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
}

// TestBackoff: the pauses double, up to the longest, and are no two the same.
func TestBackoff(t *testing.T) {
	t.Parallel()
	up := &uploader{first: time.Second}
	for failures, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 5: 16 * time.Second, 20: longestPause, 100: longestPause} {
		least, most := time.Hour, time.Duration(0)
		for range 1000 {
			pause := up.backoff(failures, 0)
			least, most = min(least, pause), max(most, pause)
		}
		if least < want/2 || least > want*6/10 || most >= want*3/2 || most < want*14/10 {
			t.Errorf("after %d failures %v to %v, want half to one and a half of %v", failures, least, most, want)
		}
	}
	if got := up.backoff(9, 3*time.Second); got != 3*time.Second {
		t.Errorf("a pause of 3 s that was asked for is %v", got)
	}
}
