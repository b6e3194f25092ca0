package am

import (
	"bytes"
	"net/mail"
	"regexp"
	"testing"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	gomail "github.com/wneessen/go-mail"
)

// TestThread: a group's mails are one thread, or one of each day where the file
// says so, and a header of the file's own stays.
func TestThread(t *testing.T) {
	t.Parallel()
	const all, daily = `^<alert-[0-9a-f]{16}@alertmanager>$`, `^<alert-[0-9a-f]{16}-\d{4}-\d\d-\d\d@alertmanager>$`
	for name, c := range map[string]struct {
		threading config.ThreadingConfig
		headers   map[string]string
		want      string
	}{
		"none":    {config.ThreadingConfig{ThreadByDate: "daily"}, nil, all},
		"daily":   {config.ThreadingConfig{Enabled: true, ThreadByDate: "daily"}, nil, daily},
		"forever": {config.ThreadingConfig{Enabled: true, ThreadByDate: "none"}, nil, all},
		"own":     {config.ThreadingConfig{}, map[string]string{"In-Reply-To": "<x@example.org>"}, `^$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &email{conf: &config.EmailConfig{Threading: c.threading, Headers: c.headers}}
			m := gomail.NewMsg()
			if err := e.thread(notify.WithGroupKey(t.Context(), `{}:{alertname="Slow"}`), m); err != nil {
				t.Fatal(err)
			}
			var raw bytes.Buffer
			if _, err := m.WriteTo(&raw); err != nil {
				t.Fatal(err)
			}
			written, err := mail.ReadMessage(&raw)
			if err != nil {
				t.Fatal(err)
			}
			for _, header := range []string{"References", "In-Reply-To"} {
				if got := written.Header.Get(header); !regexp.MustCompile(c.want).MatchString(got) {
					t.Errorf("%s is %q, want %s", header, got, c.want)
				}
			}
		})
	}
}
