package cli

import "testing"

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
