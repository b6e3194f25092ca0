package cli

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/domain"
)

// languageOption declares -language for all verbs. One that has an option of
// this name keeps its own.
func languageOption(root *cobra.Command) {
	c := &choice{"", append([]string{""}, domain.Languages...)}
	root.PersistentFlags().Var(c, "language", "of messages: "+OneOf(c.choices)+"; empty means that of LC_ALL, LC_MESSAGES or LANG, or else the domain file's")
	if err := root.RegisterFlagCompletionFunc("language", cobra.FixedCompletions(domain.Languages, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // an option that is not declared: every test sees it
	}
}

// LanguageOf is the language that -language asks for, "" if it does not.
func LanguageOf(cmd *cobra.Command) string { return cmd.Flag("language").Value.String() }

// Language is the language to speak to a person in: the one that was asked for,
// or else that of the person's locale, or else the domain's, or else English.
func Language(asked, domains string) string {
	return first(asked, locale(), domains, domain.Languages[0])
}

// Document is the language to write a document in: the one that was asked for,
// or else the domain's, as its alerts and descriptions are in it.
func Document(asked, domains string) string {
	return first(asked, domains, locale(), domain.Languages[0])
}

// first is the first of some languages that is one of ours.
func first(all ...string) string {
	return all[slices.IndexFunc(all, func(l string) bool { return slices.Contains(domain.Languages, l) })]
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
