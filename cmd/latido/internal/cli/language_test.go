package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestLanguage: what was asked for goes first, then for messages the locale of
// the person, and for documents the language of the domain.
func TestLanguage(t *testing.T) {
	for _, c := range []struct{ asked, all, messages, lang, domains, message, document string }{
		{"", "", "", "", "", "en", "en"},
		{"", "", "", "C.UTF-8", "", "en", "en"},
		{"", "", "", "C.UTF-8", "es", "es", "es"},
		{"", "", "", "es_CO.UTF-8", "", "es", "es"},
		{"", "", "", "es", "en", "es", "en"},
		{"", "", "", "fr_FR.UTF-8", "es", "es", "es"},
		{"", "", "es_CO", "en_US.UTF-8", "", "es", "es"},
		{"", "en_US", "es_CO", "es_CO", "es", "en", "es"},
		{"en", "es_CO", "", "", "es", "en", "en"},
	} {
		t.Setenv("LC_ALL", c.all)
		t.Setenv("LC_MESSAGES", c.messages)
		t.Setenv("LANG", c.lang)
		if got := Language(c.asked, c.domains); got != c.message {
			t.Errorf("%+v: messages in %q", c, got)
		}
		if got := Document(c.asked, c.domains); got != c.document {
			t.Errorf("%+v: documents in %q", c, got)
		}
	}
}

// TestErrorsInTheDomainsLanguage has errors of calls whose arguments or whose
// folder name a domain file in Spanish.
func TestErrorsInTheDomainsLanguage(t *testing.T) {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		t.Setenv(name, "")
	}
	for name, c := range map[string]struct {
		folder string // the language of domain.yaml there, "" for none
		args   []string
		want   string
	}{
		"none":            {"", []string{"nope"}, "unknown verb"},
		"of the folder":   {"es", []string{"nope"}, "verbo desconocido"},
		"of an argument":  {"", []string{"nope", "other/es.yml"}, "verbo desconocido"},
		"of an option":    {"en", []string{"nope", "-domain=other/es.yml"}, "verbo desconocido"},
		"asked for":       {"es", []string{"nope", "-language", "en"}, "unknown verb"},
		"file not there":  {"", []string{"nope", "none.yaml"}, "unknown verb"},
		"folder as file":  {"", []string{"nope", "folder.yaml"}, "unknown verb"},
		"of the argument": {"es", []string{"nope", "other/en.yaml"}, "unknown verb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, folder := range []string{"other", "folder.yaml"} {
				if err := os.Mkdir(folder, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			files := map[string]string{"other/es.yml": "es", "other/en.yaml": "en"}
			if c.folder != "" {
				files["domain.yaml"] = c.folder
			}
			for file, language := range files {
				if err := os.WriteFile(file, []byte("prefix: tienda\nlanguage: "+language+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var said bytes.Buffer
			if execute(&cobra.Command{Use: "latido"}, c.args, &said); !strings.Contains(said.String(), c.want) {
				t.Errorf("no %q in %s", c.want, said.String())
			}
		})
	}
}
