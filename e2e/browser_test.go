package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/latido-dev/latido/e2e/servers"
)

// chromium is the browser of the machine: Debian's package, or Chrome.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no browser: apt-get install chromium")
	return ""
}

// browser is a tab of a Chromium that looks at one service, and what went wrong
// in it.
type browser struct {
	ctx  context.Context
	base string

	mu    sync.Mutex
	wrong []string
	asked map[string]int // requests by address
}

// look is how the tab is: its size, and whether the person likes it dark.
type look struct {
	width, height int64
	dark, phone   bool
}

var (
	desktop = look{width: 1280, height: 900}
	night   = look{width: 1280, height: 900, dark: true}
	phone   = look{width: 320, height: 640, phone: true}
)

func startBrowser(t *testing.T, base string, l look) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(int(l.width), int(l.height)),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(servers.Patience))
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(func() { cancel(); stop() })
	b := &browser{ctx: ctx, base: base, asked: map[string]int{}}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	if err := chromedp.Listen(ctx, b.hear); err != nil { // starts the browser
		t.Fatal(err)
	}
	b.do(t, call(log.Enable, cdp.Empty{}), call(runtime.Enable, cdp.Empty{}), call(network.Enable, network.EnableParams{}),
		call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: l.height, DeviceScaleFactor: 1, Mobile: l.phone}),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}))
	return b
}

// call is a command of the protocol as an action.
func call[P, R any](command cdp.Command[P, R], p P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, p)
		return err
	})
}

// hear notes what a person would find in the console, and every request.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			b.wrong = append(b.wrong, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		text := "exception: " + e.ExceptionDetails.Text + " " + e.ExceptionDetails.URL
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		b.wrong = append(b.wrong, text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			text := ""
			for _, a := range e.Args {
				text += string(a.Value) + " "
			}
			b.wrong = append(b.wrong, "console: "+text)
		}
	case *network.EventRequestWillBeSent:
		b.asked[e.Request.URL]++
	}
}

// clean fails where the console has an error, a policy was violated, or another
// host was asked.
func (b *browser) clean(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.wrong {
		t.Errorf("the console has: %s", text)
	}
	for address := range b.asked {
		u, err := url.Parse(address)
		if own := strings.TrimPrefix(b.base, "http://"); err != nil || u.Host != own && u.Scheme != "data" && u.Scheme != "blob" {
			t.Errorf("%s was asked", address)
		}
	}
}

func (b *browser) requests(part string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for address, times := range b.asked {
		if strings.Contains(address, part) {
			n += times
		}
	}
	return n
}

// run does something in the tab.
func run[T any](t *testing.T, b *browser, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, servers.Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	run(t, b, chromedp.Steps(steps...))
}

func (b *browser) open(t *testing.T, path string) {
	t.Helper()
	b.do(t, chromedp.Navigate(b.base+path), chromedp.WaitReady(chromedp.CSS("main")))
}

// value evaluates an expression of JavaScript.
func value[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	return run(t, b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// until waits for an expression to be true.
func (b *browser) until(t *testing.T, within time.Duration, expression string) {
	t.Helper()
	servers.WaitFor(t, within, expression, func() error {
		ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
		defer cancel()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && !ok {
			err = errors.New("not yet")
		}
		return err
	})
}

// within tells whether an expression is true before a time is over.
func (b *browser) within(length time.Duration, expression string) (ok bool) {
	ctx, cancel := context.WithTimeout(b.ctx, length)
	defer cancel()
	ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("new Promise((done) => { const look = () => { if ("+expression+") done(true); else setTimeout(look, 200); }; look(); })", chromedp.EvalAwaitPromise))
	return err == nil && ok
}

// picture saves what the tab shows, all of it.
func (b *browser) picture(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, run(t, b, chromedp.FullScreenshot(100)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// accessible fails where axe-core finds something serious.
func (b *browser) accessible(t *testing.T) {
	t.Helper()
	axe, err := os.ReadFile("testdata/vendor/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	run(t, b, chromedp.Evaluate[int](string(axe)+";0"))
	found := value[[]string](t, b, `axe.run(document, {iframes: false}).then((r) => r.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
		.map((v) => v.id + ": " + v.help + ": " + v.nodes.map((n) => n.html.slice(0, 120)).slice(0, 3).join(" | ")))`)
	for _, violation := range found {
		t.Errorf("axe-core: %s", violation)
	}
}

// fits fails where the page is wider than the screen.
func (b *browser) fits(t *testing.T) {
	t.Helper()
	if wide := value[[]string](t, b, `[...document.querySelectorAll("body *")].filter((e) => document.documentElement.scrollWidth > innerWidth && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre, .hidden, svg")).map((e) => e.outerHTML.slice(0, 120))`); len(wide) > 0 {
		t.Errorf("wider than the screen: %s", strings.Join(wide[:min(len(wide), 5)], "\n"))
	}
	if cut := value[bool](t, b, `[...document.querySelectorAll(".endpoints")].some((e) => e.scrollWidth > e.parentElement.clientWidth + 1)`); cut {
		t.Error("the table of endpoints is cut off at the screen's edge")
	}
}
