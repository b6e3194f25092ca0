package am

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestNoDescriptorsLeft: a process that has used up its file descriptors tells a
// webhook and a mailbox, both by the name of their host, and can do it again. It
// is another process, as the limit is one's own.
func TestNoDescriptorsLeft(t *testing.T) {
	if addresses := os.Getenv("WITHOUT_DESCRIPTORS"); addresses != "" {
		hookURL, mailAddress, _ := strings.Cut(addresses, " ")
		withoutDescriptors(t, hookURL, mailAddress)
		return
	}
	t.Parallel()
	h, box := newHook(t), (&mailbox{}).start(t)
	byName := func(address string) string { return strings.ReplaceAll(address, "127.0.0.1", "localhost") }
	testkit.Again(t, "WITHOUT_DESCRIPTORS="+byName(h.URL)+" "+byName(box.address))
	if got := strings.Join(h.states(), ", "); got != "First firing, Second firing" {
		t.Errorf("the webhook heard of %q", got)
	}
	if n := len(box.got()); n != 2 {
		t.Errorf("%d mails", n)
	}
}

func withoutDescriptors(t *testing.T, hookURL, mailAddress string) {
	limit := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	o := observe(t, Config{File: file([2]string{"hook", webhookTo(hookURL)}, mailTo(mailAddress, ", require_tls: false")), Templates: []byte(mailTemplates)})
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		defer f.Close()
	}
	told := func(receiver string, n int64) func() bool {
		return func() bool { return o.outcomes(t)[receiver+" success"] == n }
	}
	for i, name := range []string{"First", "Second"} {
		o.Put(firing(name))
		wait(t, name+" by webhook", told("hook", int64(i+1)))
		wait(t, name+" by mail", told("mail", int64(i+1)))
	}
}
