package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/latido-dev/latido/domain"
)

// DomainFile is the domain file's usual name.
const DomainFile = "domain.yaml"

// Choice declares an option whose value is one of a few, the first of which is
// usual.
func Choice(cmd *cobra.Command, name, usage string, choices ...string) *string {
	c := &choice{choices[0], choices}
	cmd.Flags().Var(c, name, usage)
	Complete(cmd, name, slices.DeleteFunc(slices.Clone(choices), func(s string) bool { return s == "" }))
	return &c.value
}

type choice struct {
	value   string
	choices []string
}

func (c *choice) String() string { return c.value }

// Type implements pflag.Value.
func (*choice) Type() string { return "string" }

// Set implements pflag.Value.
func (c *choice) Set(text string) error {
	if !slices.Contains(c.choices, text) {
		return errors.New("write " + OneOf(c.choices))
	}
	c.value = text
	return nil
}

var _ pflag.Value = (*choice)(nil)

// OneOf lists choices: "text, json or junit".
func OneOf(choices []string) string {
	choices = slices.DeleteFunc(slices.Clone(choices), func(s string) bool { return s == "" })
	last := len(choices) - 1
	if last < 1 {
		return strings.Join(choices, "")
	}
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// Complete has a shell offer the values of an option.
func Complete(cmd *cobra.Command, name string, choices []string) {
	fixed := cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(name, fixed); err != nil {
		panic(err) // an option that is not declared: every test of the verb sees it
	}
}

// Files has a shell offer files with one of the endings for an option, or
// folders where there is no ending.
func Files(cmd *cobra.Command, name string, endings ...string) {
	err := cmd.MarkFlagFilename(name, endings...)
	if len(endings) == 0 {
		err = cmd.MarkFlagDirname(name)
	}
	if err != nil {
		panic(err) // an option that is not declared: every test of the verb sees it
	}
}

// CompleteDomain offers a domain file as the one argument of a verb.
func CompleteDomain(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// FileOf is the domain file that the arguments of a verb name: one at most.
func FileOf(args []string) (string, error) {
	switch len(args) {
	case 0:
		return DomainFile, nil
	case 1:
		return args[0], nil
	}
	return "", UsageError("one file at a time")
}

// ReadDomain reads a domain file's text; "-" is standard input.
func ReadDomain(stdin io.Reader, file string) ([]byte, error) {
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w: write one with: latido init", err)
		}
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // nothing was written
		from = f
	}
	// One byte more than allowed, so that Parse sees that it is too long.
	data, err := io.ReadAll(io.LimitReader(from, domain.MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return data, nil
}
