package domain

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/testkit"
)

func TestParseQuantity(t *testing.T) {
	for text, want := range map[string]string{
		"2s": "2", "300ms": "0.3", "1.5s": "1.5", "1h30m": "5400", "30d": "2592000", "80%": "80", "0.5 %": "0.5",
		"256MiB": "268435456", "1.5GB": "1500000000", "10 KiB": "10240", "7B": "7", " 42 ": "42", "-5": "-5", "1e6": "1000000", ".25": "0.25",
	} {
		q, err := ParseQuantity(text)
		testkit.Error(t, err, "")
		if q.String() != want {
			t.Errorf("ParseQuantity(%q) = %s, want %s", text, q, want)
		}
	}
	for _, text := range []string{"", "%", "B", "two", "2 apples", "80%%", "inf", "NaN", "1e999", "1e308TiB", "2s3", "0x"} {
		_, err := ParseQuantity(text)
		testkit.Error(t, err, "is no quantity: write a number")
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{"90s": "1m30s", "300ms": "300ms", "0": "0s", "30d": "30d", " 5m ": "5m", "14d": "2w"} {
		d, err := ParseDuration(text)
		testkit.Error(t, err, "")
		if d.String() != want {
			t.Errorf("ParseDuration(%q) = %s, want %s", text, d, want)
		}
	}
	for _, text := range []string{"", "-5m", "5", "1.5s", "5 m", "1m1h", "400y400y"} {
		_, err := ParseDuration(text)
		testkit.Error(t, err, "is no duration: write one such as")
	}
	type timed struct{ For Duration }
	data, err := json.Marshal(timed{Duration(time.Minute)})
	if err != nil || string(data) != `{"For":"1m"}` {
		t.Errorf("JSON: %s, %v", data, err)
	}
	var back timed
	if err := json.Unmarshal(data, &back); err != nil || back.For != Duration(time.Minute) {
		t.Errorf("JSON back: %v, %v", back, err)
	}
}
