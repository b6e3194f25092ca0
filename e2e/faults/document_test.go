package faults

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The results, and the document that is written from them.
const (
	resultsFile  = "testdata/causes.json"
	documentFile = "../../docs/causes.md"
	spanishFile  = "../../docs/es/causes.md"
)

// results are those of the last run of each fault, by pace and name.
type results struct {
	Machines []string                  `json:"machines"` // each that some of the runs were on
	Date     string                    `json:"date"`
	Paces    map[string]map[string]run `json:"paces"`
	Healthy  map[string]healthy        `json:"healthy,omitempty"` // by pace
	Whole    map[string]whole          `json:"whole,omitempty"`   // by pace
}

// whole is the newest run of all faults. Single ones may have been run since.
type whole struct {
	Faults int    `json:"faults"`
	Right  int    `json:"right"`
	Date   string `json:"date"`
}

// healthy is what a healthy time showed: alerts that fired, and of the drills
// how many were given a cause.
type healthy struct {
	Minutes float64 `json:"minutes"`
	Alerts  int     `json:"alerts"`
	Drills  int     `json:"drills"`
	Blamed  int     `json:"blamed"`
	Date    string  `json:"date"`
}

var recording sync.Mutex

func readResults() (results, error) {
	r := results{Paces: map[string]map[string]run{}}
	data, err := os.ReadFile(resultsFile)
	if os.IsNotExist(err) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

// update changes the results, and writes the document again.
func update(t *testing.T, change func(*results)) {
	t.Helper()
	recording.Lock()
	defer recording.Unlock()
	r, err := readResults()
	if err != nil {
		t.Fatal(err)
	}
	change(&r)
	for _, s := range scenarios() { // by what is true now
		for _, runs := range r.Paces {
			if u, ok := runs[s.name]; ok && u.Verdict != noAlert {
				u.Verdict, u.HottestIs = s.truth.judge(u.Cause), s.truth.judge(u.Hottest)
				runs[s.name] = u
			}
		}
	}
	data, err := json.MarshalIndent(r, "", "\t")
	if err == nil {
		err = os.WriteFile(resultsFile, append(data, '\n'), 0o644)
	}
	for file, text := range documents(r) {
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func record(t *testing.T, pace, name string, r run) {
	update(t, func(all *results) {
		if all.Paces[pace] == nil {
			all.Paces[pace] = map[string]run{}
		}
		all.Paces[pace][name] = r
		all.Date = time.Now().UTC().Format(time.DateOnly)
		if !slices.Contains(all.Machines, machine()) {
			all.Machines = append(all.Machines, machine())
		}
	})
}

// TestDocument wants both documents to say what the results say.
func TestDocument(t *testing.T) {
	if pace != "" {
		return // it is being written
	}
	r, err := readResults()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range documents(r) {
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what %s says: run `make causes FAULT=none`", file, resultsFile)
		}
	}
}

// documents are the texts by their files. The Spanish one has the figures, and
// leads to the English one for the sentences, which are in the language of the
// domain that is broken.
func documents(r results) map[string]string {
	return map[string]string{documentFile: document(r), spanishFile: spanish(r)}
}

func document(r results) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Causes: what the first alert of a fault says")
	line("")
	line("<!-- Written by `make causes` from e2e/faults/testdata/causes.json: change neither by hand. -->")
	line("")
	line("A service of a parcel carrier (`e2e/faults/parcel`: eight endpoints, SQLite with two small pools, two peers and a DNS server as")
	line("processes of their own) is broken in real ways while clients send %.0f requests a second. It has the domain file that a user would", usualRate)
	line("write, and the default rules. The first alert that is notified after the fault is judged, and nothing later: *right* names the right")
	line("thing at the right place, *right place* only the place. Beside it is the rule of thumb: the service's function with the most CPU time.")
	line("Where something else kept the machine busy before the fault, `HostCPUHigh` is not counted. [En español](es/causes.md).")
	line("")
	line("    make causes                       all faults in fast pace: a minute of the rules passes in a second")
	line("    make causes PACE=normal           the same in normal pace, which takes hours")
	line("    make causes FAULT=lock_io         one of them")
	line("    make causes HEALTHY=30m           a healthy time, in which nothing may be blamed")
	line("")
	line("Measured on %s, until %s%s.", strings.Join(r.Machines, " and "), r.Date, loads(r))
	line("")
	for _, sum := range sums(r) {
		line("- %s", sum)
	}
	for _, p := range []string{"fast", "normal"} {
		if w, ok := r.Whole[p]; ok {
			line("- The newest run of all faults in %s pace: %d of %d right first (%s). A row is of the newest run of its fault, which may be a later one.", p, w.Right, w.Faults, w.Date)
		}
	}
	for _, p := range []string{"fast", "normal"} {
		if h, ok := r.Healthy[p]; ok {
			line("- %.0f healthy minutes in %s pace, with the traffic between half and one and a half, two releases and a busy garbage collector: %d alerts; of %d drills, %d were given a cause (%s).",
				h.Minutes, p, h.Alerts, h.Drills, h.Blamed, h.Date)
		}
	}
	line("")
	line("| fault | alert | s | s, normal pace | verdict | rule of thumb |")
	line("|---|---|---|---|---|---|")
	line("%s", rows(r, "", nil))
	line("E: it shows elsewhere than where it is. D: with a distractor at the same moment.")
	line("")
	line("## The sentences")
	for _, s := range scenarios() {
		for _, p := range []string{"fast", "normal"} {
			u, ok := r.Paces[p][s.name]
			if !ok {
				continue
			}
			if p == "fast" || r.Paces["fast"][s.name] == (run{}) {
				line("\n### %s\n", s.name)
				line("%s.%s%s", upper(s.what), since(" It shows in: ", s.elsewhere), since(" At the same moment: ", s.distractor))
			}
			line("\n%s pace, %s:\n", upper(p), u.Verdict)
			line("> %s", quoted(u.Cause))
			for _, a := range []string{u.Also1, u.Also2} {
				if a != "" {
					line(">\n> - also: %s", quoted(a))
				}
			}
			line("\nRule of thumb, %s: %s", u.HottestIs, quoted(u.Hottest))
		}
	}
	return b.String()
}

// rows are those of the faults that were run. Names lead to their sentences in
// a file, and verdicts are said as in another language where it has words for them.
func rows(r results, file string, words map[verdict]string) string {
	var b strings.Builder
	said := func(v verdict) string { return cmp.Or(words[v], string(v)) }
	for _, s := range scenarios() {
		fast, ok := r.Paces["fast"][s.name]
		normal, also := r.Paces["normal"][s.name]
		if !ok && !also {
			continue
		}
		if !ok {
			fast = run{Alert: normal.Alert, Verdict: "not run", HottestIs: "not run"}
		}
		fmt.Fprintf(&b, "| [%s](%s#%s)%s | %s | %s | %s | %s | %s |\n", s.name, file, s.name, mark(s), code(fast.Alert), seconds(fast, ok), seconds(normal, also),
			said(fast.Verdict), said(fast.HottestIs))
	}
	return b.String()
}

// loads are the machine's load averages, the least and the most, while the
// alerts came: what it does beside the test delays them.
func loads(r results) string {
	var all []float64
	for _, runs := range r.Paces {
		for _, u := range runs {
			if n, err := strconv.ParseFloat(u.Load, 64); err == nil {
				all = append(all, n)
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf(", at a load average of %.0f to %.0f", slices.Min(all), slices.Max(all))
}

// sums are the figures of each pace.
func sums(r results) []string {
	return sumsIn(r, "%s pace: of %d faults %d are right first, %d right place, %d wrong, %d without an alert; "+
		"%d of %d that show elsewhere, %d of %d with a distractor. Median %.0f s from the fault to the notification. The rule of thumb: %d right, %d right place.",
		map[string]string{"fast": "Fast", "normal": "Normal"})
}

func sumsIn(r results, sentence string, names map[string]string) []string {
	var list []string
	for _, p := range []string{"fast", "normal"} {
		count, thumb := map[verdict]int{}, map[verdict]int{}
		var times []float64
		hard, distracted, hardRight, distractedRight := 0, 0, 0, 0
		for _, s := range scenarios() {
			u, ok := r.Paces[p][s.name]
			if !ok {
				continue
			}
			count[u.Verdict]++
			thumb[u.HottestIs]++
			if u.Verdict != noAlert {
				times = append(times, u.Seconds)
			}
			good := 0
			if u.Verdict == right {
				good = 1
			}
			if s.elsewhere != "" {
				hard, hardRight = hard+1, hardRight+good
			}
			if s.distractor != "" {
				distracted, distractedRight = distracted+1, distractedRight+good
			}
		}
		n := len(r.Paces[p])
		if n == 0 {
			continue
		}
		slices.Sort(times)
		median := 0.0
		if len(times) > 0 {
			median = times[len(times)/2]
		}
		list = append(list, fmt.Sprintf(sentence,
			names[p], n, count[right], count[rightPlace], count[wrong], count[noAlert], hardRight, hard, distractedRight, distracted, median, thumb[right], thumb[rightPlace]))
	}
	return list
}

func mark(s scenario) string {
	text := ""
	if s.elsewhere != "" {
		text += " E"
	}
	if s.distractor != "" {
		text += " D"
	}
	return text
}

func seconds(r run, ok bool) string {
	if !ok || r.Verdict == noAlert {
		return "-"
	}
	return fmt.Sprintf("%.0f", r.Seconds)
}

func code(s string) string {
	if s == "" {
		return "-"
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}

// quoted keeps a sentence from being read as Markdown.
func quoted(s string) string {
	return cmp.Or(strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`, "[", `\[`).Replace(s), "(nothing)")
}

func since(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text + "."
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
