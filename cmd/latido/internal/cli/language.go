package cli

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/spanish"
	"github.com/latido-dev/latido/domain"
)

// languageOption declares -language for all verbs. One that has an option of
// this name keeps its own.
func languageOption(root *cobra.Command) {
	c := &choice{"", append([]string{""}, domain.Languages()...)}
	root.PersistentFlags().Var(c, "language", "of messages: "+OneOf(c.choices)+"; empty means that of LC_ALL, LC_MESSAGES or LANG, or else the domain file's")
	if err := root.RegisterFlagCompletionFunc("language", cobra.FixedCompletions(domain.Languages(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // an option that is not declared: every test sees it
	}
}

// LanguageOf is the language that -language asks for, "" if it does not.
func LanguageOf(cmd *cobra.Command) string {
	if f := cmd.Flag("language"); f != nil && f.Changed { // a verb's own may have another default
		return f.Value.String()
	}
	return ""
}

// asked is the language that -language asks for among the arguments of a call,
// whether it could be read or not.
func asked(args []string) string {
	for i, arg := range args {
		name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case !strings.HasPrefix(arg, "-") || name != "language":
		case given:
			return value
		case i+1 < len(args):
			return args[i+1]
		}
	}
	return ""
}

// DomainLanguage is the language that a domain file names, mistakes or not.
func DomainLanguage(data []byte) string {
	if m := languageLine.FindSubmatch(data); m != nil {
		return string(m[1])
	}
	return ""
}

var languageLine = regexp.MustCompile(`(?m)^language:\s*["']?(\w+)`)

// Say writes a text of the command in a language.
func Say(language, text string) string {
	if language == "es" {
		return spanish.Of(text)
	}
	return text
}

// Spoken writes to w what write writes, in a language.
func Spoken(w io.Writer, language string, write func(io.Writer)) {
	var text bytes.Buffer
	write(&text)
	_, _ = io.WriteString(w, Say(language, text.String())) // Run tells
}

// Language is the language to speak to a person in: the one that was asked for,
// or else that of the person's locale, or else the domain's, or else English.
// A verb that reads no domain file takes the language of the one in the folder
// that it is called in.
func Language(asked, domains string) string {
	return first(asked, locale(), cmp.Or(domains, languageAt(DomainFile)), domain.Languages()[0])
}

// errorLanguage is the language of an error: that of Language, where the domain
// file is one that the arguments name.
func errorLanguage(args []string) string {
	domains := ""
	for _, arg := range args {
		if _, value, given := strings.Cut(arg, "="); given {
			arg = value
		}
		if ext := filepath.Ext(arg); domains == "" && (ext == ".yaml" || ext == ".yml") {
			domains = languageAt(arg)
		}
	}
	return Language(asked(args), domains)
}

// languageAt is the language that the domain file of a name names, "" if there is
// none or it names none.
func languageAt(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()                             // nothing was written
	data, _ := io.ReadAll(io.LimitReader(f, domain.MaxFileSize)) // what was read counts
	return DomainLanguage(data)
}

// Document is the language to write a document in: the one that was asked for,
// or else the domain's, as its alerts and descriptions are in it.
func Document(asked, domains string) string {
	return first(asked, domains, locale(), domain.Languages()[0])
}

// first is the first of some languages that is one of ours.
func first(all ...string) string {
	return all[slices.IndexFunc(all, func(l string) bool { return slices.Contains(domain.Languages(), l) })]
}

// locale is the language of the environment, as POSIX has it: the first of the
// three that is set counts. "C" and "POSIX" name none.
func locale() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := os.Getenv(name); value != "" {
			language, _, _ := strings.Cut(value, ".")
			language, _, _ = strings.Cut(language, "_")
			return strings.ToLower(language)
		}
	}
	return ""
}

// Speaker is a writer that writes whole messages of the command in a language.
func Speaker(w io.Writer, language string) io.Writer {
	if language != "es" {
		return w
	}
	return speaker{w}
}

type speaker struct{ to io.Writer }

func (s speaker) Write(p []byte) (int, error) {
	if _, err := io.WriteString(s.to, spanish.Of(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
