package receivers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// Messages names each option whose template Alertmanager could not run, however
// deep it is, with its line; and none that it can: what is Alertmanager's, and
// ours, may be used.
func TestMessagesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	head := "prefix: floreria\nentity: ramo\nnotify:\n  - "
	for option, want := range map[string]string{
		`discord: {webhook_url_file: /x, title: "sin plantilla"}`:                                                              "",
		`discord: {webhook_url_file: /x, title: '{{ template "latido.title" . }} {{ .CommonLabels.job | toUpper }}'}`:          "",
		`discord: {webhook_url_file: /x, title: "{{ range .Alerts.Firing }}{{ .Annotations.summary }}{{ end }}"}`:              "",
		`discord: {webhook_url_file: /x, title: "{{ .Alerts.Firing"}`:                                                          "4:45: notify[0].discord.title: unclosed action",
		`discord: {webhook_url_file: /x, title: "{{ .Alert.Firing }}"}`:                                                        "4:45: notify[0].discord.title: can't evaluate field Alert",
		`discord: {webhook_url_file: /x, title: '{{ template "guardia" . }}'}`:                                                 `4:45: notify[0].discord.title: "guardia" not defined`,
		`pagerduty: {routing_key_file: /x, details: {lugar: "{{ .GroupLabels.job | reverse }}"}}`:                              `4:57: notify[0].pagerduty.details.lugar: function "reverse" not defined`,
		`opsgenie: {api_key_file: /x, responders: [{type: team, name: a}, {type: user, name: "{{ if }}"}]}`:                    "4:90: notify[0].opsgenie.responders[1].name: missing value for if",
		`jira: {api_url: "https://x.example", project: A, issue_type: Bug, fields: {campo: {valor: "{{ index .Alerts 7 }}"}}}`: "4:96: notify[0].jira.fields.campo.valor: index out of range",
	} {
		d, err := domain.Parse("domain.yaml", []byte(head+option+"\n"))
		if err != nil {
			t.Errorf("%s: %v", option, err)
			continue
		}
		var told []string
		for _, p := range Messages("domain.yaml", []byte(head+option+"\n"), d) {
			told = append(told, fmt.Sprintf("%d:%d: %s: %s", p.Line, p.Column, p.Path, p.Message))
		}
		place, reason, _ := strings.Cut(want, ": ")
		path, reason, _ := strings.Cut(reason, ": ")
		switch {
		case want == "" && len(told) > 0:
			t.Errorf("%s: %q", option, told)
		case want != "" && (len(told) != 1 || !strings.HasPrefix(told[0], place+": "+path+": Alertmanager cannot run this template, and would send nothing: ") || !strings.Contains(told[0], reason)):
			t.Errorf("%s: told %q, want %s", option, told, want)
		}
	}
}

// What is told with the wrong message of one receiver costs no other: each of
// them is tried.
func TestMessagesOfEachReceiver(t *testing.T) {
	t.Parallel()
	wrong := map[string]any{"webhook_url_file": "/x", "title": "{{ .No }}"}
	d := domain.Domain{Prefix: "floreria", Entity: "ramo", Notify: []domain.Receiver{
		{Other: map[string]map[string]any{"discord": wrong}}, {Log: &domain.LogReceiver{}}, {Other: map[string]map[string]any{"msteamsv2": wrong}},
	}}
	if len(alerting.Receivers(d)) != 3 {
		t.Fatal("a receiver is missing")
	}
	if told := Messages("domain.yaml", nil, d); len(told) != 2 || told[0].Path != "notify[0].discord.title" || told[1].Path != "notify[2].msteamsv2.title" {
		t.Errorf("%+v", told)
	}
}
