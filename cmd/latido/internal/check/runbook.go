package check

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/cmd/latido/stack"
)

// checkRunbook looks for the section that each alert's runbook_url names. A
// generated one has no such link where no runbook is published, and has its
// section nevertheless.
func checkRunbook(in *inspection) result.Check {
	alerts := slices.DeleteFunc(in.rules.alerts(), func(r fileRule) bool {
		return strings.HasSuffix(filepath.ToSlash(r.file), stack.Watchers)
	})
	text, from, wrong := in.read(in.runbook, "runbook", func() ([]byte, error) { return alerting.Runbook(in.d, in.options()), nil })
	if wrong != nil {
		return result.Check{Problems: []result.Problem{*wrong}}
	}
	f := result.Check{Detail: cli.Count(len(alerts), "section") + " in " + from}
	anchors := sections(string(text))
	for _, r := range alerts {
		_, anchor, ok := strings.Cut(r.Annotations["runbook_url"], "#")
		if _, generated := r.Labels["domain"]; !ok && generated && in.d.Links.Runbook == "" {
			anchor, ok = strings.ToLower(r.Alert), true
		}
		switch {
		case !ok:
			r.problem(&f, "%s has no runbook_url with a section, such as %s#%s", r.Alert, generate.RunbookFile, strings.ToLower(r.Alert))
		case !slices.Contains(anchors, anchor):
			r.problem(&f, "%s has no section #%s in %s", r.Alert, anchor, from).Fix = "write the runbook with latido generate runbook, or a section of this name by hand"
		}
	}
	return f
}

// sections are the anchors of a Markdown file's headings, as GitHub and others
// make them, and those that are written as HTML.
func sections(text string) []string {
	var anchors []string
	for line := range strings.Lines(text) {
		if hashes := strings.TrimLeft(line, "#"); hashes != line && strings.HasPrefix(hashes, " ") {
			heading := strings.ToLower(strings.TrimSpace(strings.Trim(hashes, "# \r\n")))
			heading = notInAnchor.ReplaceAllString(heading, "")
			anchors = append(anchors, strings.ReplaceAll(heading, " ", "-"))
		}
		for _, m := range htmlAnchor.FindAllStringSubmatch(line, -1) {
			anchors = append(anchors, m[1])
		}
	}
	return anchors
}

var (
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	htmlAnchor  = regexp.MustCompile(`\b(?:id|name)="([^"]+)"`)
)
