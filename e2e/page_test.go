package e2e

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/latido-dev/latido/e2e/servers"
)

// views are the addresses of the page, with something that each must show.
var views = map[string]string{
	"/": "tienda-api",
	"/endpoint?method=GET&name=/reportes/ventas": "/reportes/ventas",
	"/flame": "Gráfico de llamas",
	"/graph?g0.expr=sum%20by%20(endpoint)%20(rate(tienda_requests_total%5B1m%5D))": "PromQL",
	"/alerts":   "RespuestaLenta",
	"/domain":   "tienda_pedidos_procesados_total",
	"/findings": "Qué destaca",
}

// TestPage looks at the running shop in Chromium, as a person does.
func TestPage(t *testing.T) {
	b := startBrowser(t, "", desktop) // which takes longer than the service
	shop := startShop(t, nil, "-fast")
	b.base = shop.URL()
	b.open(t, "/") // of the first second
	if text := value[string](t, b, "document.querySelector('h1').textContent"); !strings.Contains(text, "tienda-api está bien") {
		t.Errorf("in the first second the page says %q", text)
	}
	b.until(t, servers.Patience, "document.querySelectorAll('.endpoints tbody tr').length > 5 && document.querySelector('.endpoints svg.spark path[d]').getAttribute('d').length > 20")
	servers.WaitFor(t, servers.Patience, "a profile", func() error {
		_, err := shop.get("/page/profile?type=cpu&last=1m")
		return err
	})

	t.Run("cpu", func(t *testing.T) { testPageCPU(t, shop, b) })
	t.Run("figures", func(t *testing.T) { testPageFigures(t, shop, b) })
	t.Run("views", func(t *testing.T) { testPageViews(t, shop) })
	t.Run("weight", func(t *testing.T) { testPageWeight(t, shop) })
	t.Run("keyboard", func(t *testing.T) { testPageKeyboard(t, b) })
	t.Run("graph", func(t *testing.T) { testPageGraph(t, shop, b) })
	t.Run("silence", func(t *testing.T) { testPageSilence(t, shop, b) })
	b.clean(t)
	t.Run("hidden", func(t *testing.T) { testPageHidden(t, b) })
	t.Run("restart", func(t *testing.T) { testPageRestart(t, shop, b) })
}

// testPageViews opens each view at daylight, at night and on a phone: it shows
// what it is for, the console stays empty, no other host is asked, axe-core
// finds nothing serious, and nothing is wider than the screen.
func testPageViews(t *testing.T, shop shop) {
	for name, l := range map[string]look{"desktop": desktop, "night": night, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			b := startBrowser(t, shop.URL(), l)
			for path, want := range views {
				b.open(t, path)
				if text := value[string](t, b, "document.body.innerText"); !strings.Contains(text, want) {
					t.Errorf("%s does not show %q:\n%.500s", path, want, text)
				}
				if strings.HasPrefix(path, "/flame") {
					b.until(t, servers.Patience, "document.querySelector('iframe')?.contentDocument?.querySelector('canvas')")
				}
				if strings.HasPrefix(path, "/graph") {
					b.until(t, servers.Patience, "document.querySelector('#chart canvas') && document.querySelectorAll('#legend tr').length > 3")
				}
				b.accessible(t)
				b.fits(t)
			}
			b.clean(t)
		})
	}
}

// testPageFigures holds what the page says against /metrics and the API: a
// total lies between what /metrics says before and after.
func testPageFigures(t *testing.T, shop shop, b *browser) {
	total := func(family string) (sum float64) {
		t.Helper()
		families, err := shop.families()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range families[family].GetMetric() {
			sum += m.GetCounter().GetValue()
		}
		return sum
	}
	before := total("tienda_pedidos_procesados_total")
	b.open(t, "/")
	shown := spanish(t, value[string](t, b, `[...document.querySelectorAll(".business tr")].find((r) => r.textContent.includes("Pedidos aceptados")).querySelector("td.big").textContent`))
	if after := total("tienda_pedidos_procesados_total"); shown < before || shown > after {
		t.Errorf("the page says %v orders, /metrics %v before and %v after", shown, before, after)
	}
	served := 0.0
	servers.WaitFor(t, servers.Patience, "the page to say as many requests a second as the API", func() error {
		b.open(t, "/")
		served = spanish(t, value[string](t, b, `document.querySelector(".figures b").textContent`))
		body, err := shop.get("/api/v1/query?query=" + "sum(rate(tienda_requests_total%5B1m%5D))")
		if err != nil {
			return err
		}
		var asked float64
		if m := regexp.MustCompile(`"([0-9.]+)"\]`).FindStringSubmatch(body); m != nil {
			if _, err := fmt.Sscan(m[1], &asked); err != nil {
				return err
			}
		}
		if math.Abs(served-asked) > 0.25*asked {
			return fmt.Errorf("the page says %v, the API %v", served, asked)
		}
		return nil
	})
}

// spanish reads a figure as the page writes it.
func spanish(t *testing.T, text string) (v float64) {
	t.Helper()
	text = strings.NewReplacer(".", "", ",", ".", "−", "-").Replace(strings.TrimSpace(text))
	if _, err := fmt.Sscan(text, &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// testPageKeyboard goes through the first view by Tab: what has the focus can be
// seen, and an update leaves it there.
func testPageKeyboard(t *testing.T, b *browser) {
	b.open(t, "/")
	b.do(t, chromedp.KeyEvent(kb.Tab))
	if got := value[string](t, b, "document.activeElement.className"); got != "skip" {
		t.Errorf("the first Tab leads to %q", got)
	}
	value[bool](t, b, `document.querySelector(".endpoints a").focus() || true`)
	href := value[string](t, b, "document.activeElement.getAttribute('href')")
	before := b.requests("/")
	servers.WaitFor(t, servers.Patience, "an update", func() error {
		if b.requests("/") == before {
			return fmt.Errorf("none yet")
		}
		return nil
	})
	b.until(t, servers.Patience, fmt.Sprintf("document.activeElement.getAttribute('href') === %q", href))
}

// testPageGraph opens the address that an alert carries: the rule's limit is a
// line, and completion knows the series.
func testPageGraph(t *testing.T, shop shop, b *browser) {
	b.open(t, "/alerts")
	link := value[string](t, b, `[...document.querySelectorAll(".rules th a")].find((a) => a.textContent === "CPUAlta").getAttribute("href")`)
	b.open(t, "/"+link)
	b.until(t, servers.Patience, "document.querySelector('#chart canvas')")
	if got := value[string](t, b, "document.getElementById('limit').value + ' ' + document.querySelector('h1').textContent"); got != "80 CPUAlta" {
		t.Errorf("the graph of the rule has %q", got)
	}
	value[bool](t, b, `(() => { const e = document.getElementById("expr"); e.focus(); e.value = "tienda_pedidos_proc"; e.selectionStart = e.value.length; return true; })()`)
	b.until(t, servers.Patience, "document.getElementById('expr').dispatchEvent(new Event('input')) && document.querySelectorAll('#words li').length > 0")
	key := func(name string) { // as a browser has it: what a handler takes is not written into the text
		value[bool](t, b, fmt.Sprintf(`document.getElementById("expr").dispatchEvent(new KeyboardEvent("keydown", {key: %q, cancelable: true})) || true`, name))
	}
	key("ArrowDown")
	key("Enter")
	if got := value[string](t, b, "document.getElementById('expr').value"); got != "tienda_pedidos_procesados_total" {
		t.Errorf("completed to %q", got)
	}
	key("Enter")
	b.until(t, servers.Patience, "document.querySelectorAll('#legend tr').length >= 3")
}

// testPageSilence silences a rule on the page, and ends that.
func testPageSilence(t *testing.T, shop shop, b *browser) {
	b.open(t, "/alerts?rule=SinPedidos#silence")
	value[bool](t, b, `(() => { const f = document.getElementById("act"); f.why.value = "inventario <b>"; f.who.value = "ana"; f.requestSubmit(f.querySelector("[value=silence]")); return true; })()`)
	b.until(t, servers.Patience, `document.getElementById("silences").textContent.includes("inventario <b>") && document.getElementById("rules").textContent.includes("inventario <b>")`)
	value[bool](t, b, `document.querySelector("[data-end]").click() || true`)
	b.until(t, servers.Patience, `!document.querySelector("[data-end]")`)
}

// testPageCPU breaks the shop: within a minute the page says that, and why, and
// the comparison of the profiles names the function. Healed, it is well again.
func testPageCPU(t *testing.T, shop shop, b *browser) {
	shop.breakCPU(t, b)
	servers.WaitFor(t, servers.Patience, "what changed", func() error {
		b.open(t, "/flame?last=30s&before=1m")
		if row := value[string](t, b, `document.querySelector(".functions tbody tr")?.textContent ?? ""`); !strings.Contains(row, "forecastSales") {
			return fmt.Errorf("most has changed in %q", row)
		}
		return nil
	})
	b.until(t, servers.Patience, "document.querySelector('iframe')?.contentDocument?.querySelector('canvas')")
	shop.breakIt(t, http.MethodDelete, "cpu")
	b.open(t, "/")
	b.until(t, 3*servers.Patience, calm)
}

// calm is true of a page on which nothing fires that somebody must see at once,
// also because nobody else uses up the machine for a moment.
const calm = `document.querySelector(".health") && !document.querySelector(".firing article.page")`

// breakCPU has the shop use up the CPU, until the page names the function. On a
// machine that others use up, an alert may fire before, and has their name.
func (s shop) breakCPU(t *testing.T, b *browser) {
	t.Helper()
	for range 4 {
		b.open(t, "/")
		b.until(t, 3*servers.Patience, calm)
		s.breakIt(t, http.MethodPost, "cpu")
		began := time.Now()
		if b.within(time.Minute, `document.querySelector(".firing article.page p")?.textContent.includes("forecastSales")`) {
			t.Logf("the page names the cause after %v", time.Since(began).Round(time.Second))
			return
		}
		t.Logf("the page says: %s", value[string](t, b, `document.querySelector(".firing")?.innerText ?? "nothing fires"`))
		s.breakIt(t, http.MethodDelete, "cpu")
	}
	t.Fatal("the page does not name the function")
}

// testPageHidden hides the tab: it asks nothing until it is seen again.
func testPageHidden(t *testing.T, b *browser) {
	b.open(t, "/")
	value[bool](t, b, `(() => { Object.defineProperty(document, "hidden", { value: true, configurable: true }); document.dispatchEvent(new Event("visibilitychange")); return true; })()`)
	before := b.requests("/")
	value[bool](t, b, "new Promise((done) => setTimeout(() => done(true), 11000))") // two updates would have come
	if n := b.requests("/") - before; n != 0 {
		t.Errorf("%d requests of a tab that nobody sees", n)
	}
	value[bool](t, b, `(() => { Object.defineProperty(document, "hidden", { value: false, configurable: true }); document.dispatchEvent(new Event("visibilitychange")); return true; })()`)
	servers.WaitFor(t, servers.Patience, "an update of the tab that is seen again", func() error {
		if b.requests("/") == before {
			return fmt.Errorf("none yet")
		}
		return nil
	})
}

// testPageRestart ends the service under the page: that is said, and once it
// is back the page goes on.
func testPageRestart(t *testing.T, shop shop, b *browser) {
	b.open(t, "/")
	if err := shop.Stop(t); err != nil {
		t.Error(err)
	}
	b.until(t, servers.Patience, `!document.getElementById("contact").hidden`)
	shop.Restart(t)
	b.until(t, servers.Patience, `document.getElementById("contact").hidden && document.querySelectorAll(".endpoints tbody tr").length > 3`)
}

// TestPictures takes the screenshots of the documents, into the folder that
// PICTURES names, or else one of its own: the command is `make pictures`. The
// shop is broken, so that the page has something to say.
func TestPictures(t *testing.T) {
	folder := os.Getenv("PICTURES")
	if folder == "" {
		folder = t.TempDir()
	}
	shop := startShop(t, nil, "-fast")
	b := startBrowser(t, shop.URL(), desktop)
	b.open(t, "/")
	b.until(t, 2*time.Minute, "document.querySelector('.endpoints svg.spark path[d]')?.getAttribute('d').split('L').length > 12")
	shop.breakIt(t, http.MethodPost, "cpu")
	if !b.within(time.Minute, `document.querySelector(".firing article.page p")?.textContent.includes("forecastSales")`) {
		t.Log("the picture does not name the function: other processes use this machine up")
	}
	b.picture(t, filepath.Join(folder, "page.png"))
	if os.Getenv("PICTURES") != "" {
		for _, readme := range []string{"README.md", twins["README.md"]} {
			dated(t, filepath.Join(repository, readme))
		}
	}
	if os.Getenv("PICTURES_ALL") == "" {
		return
	}
	for name, l := range map[string]look{"light": desktop, "dark": night, "phone": phone} {
		b := startBrowser(t, shop.URL(), l)
		for path := range views {
			b.open(t, path)
			b.until(t, time.Minute, "!document.querySelector('iframe') || document.querySelector('iframe').contentDocument?.querySelector('canvas')")
			b.until(t, time.Minute, "!document.querySelector('#chart') || document.querySelector('#chart canvas')")
			b.picture(t, filepath.Join(folder, name+"-"+strings.Trim(regexp.MustCompile(`[^a-z]+.*`).ReplaceAllString(strings.TrimPrefix(path, "/"), ""), "/")+".png"))
		}
	}
}

// dated writes the day beside the picture.
func dated(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(_(?:The page|La página) .* (?:on|el)) [0-9-]+`).ReplaceAll(text, []byte("$1 "+time.Now().Format(time.DateOnly)))
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
