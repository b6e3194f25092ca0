package scaffold

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
)

// errInputEnded says that nobody is there to answer.
var errInputEnded = errors.New("the input ended before an answer")

// asker asks the person at the terminal.
type asker struct {
	in  *bufio.Reader
	out io.Writer
}

// ask repeats a question until the answer is right. An empty answer is usual,
// which may be to answer it later, in a file.
func (a asker) ask(question, usual string, right func(string) error) (string, error) {
	for {
		answer, err := a.line(fmt.Sprintf("%s [%s]: ", question, cmp.Or(usual, "later")))
		if err != nil {
			return "", err
		}
		answer = cmp.Or(answer, usual)
		if err := right(answer); err != nil {
			fmt.Fprintf(a.out, "  %v\n", err)
			continue
		}
		return answer, nil
	}
}

// agreed asks a question whose usual answer is no.
func (a asker) agreed(question string) (bool, error) {
	answer, err := a.line(question + " (y/N): ")
	switch strings.ToLower(answer) {
	case "y", "yes", "s", "si", "sí":
		return true, err
	}
	return false, err
}

func (a asker) line(prompt string) (string, error) {
	fmt.Fprint(a.out, prompt)
	line, err := a.in.ReadString('\n')
	if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
		fmt.Fprintln(a.out)
		return "", errInputEnded
	}
	return strings.TrimSpace(line), nil
}
