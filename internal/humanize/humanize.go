// Package humanize writes what a person reads in English or Spanish: texts,
// numbers, sizes and lengths of time.
package humanize

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Language is English, its zero value, or Spanish.
type Language struct{ Spanish bool }

// Of is the language with a code of ISO 639: Spanish for "es", English for all
// others.
func Of(code string) Language { return Language{code == "es"} }

// Lang is the code of the language.
func (l Language) Lang() string { return l.T("en", "es") }

// T picks the text of the language.
func (l Language) T(english, spanish string) string {
	if l.Spanish {
		return spanish
	}
	return english
}

// Say picks the format of the language, and fills it in as fmt.Sprintf does.
func (l Language) Say(english, spanish string, args ...any) string {
	return fmt.Sprintf(l.T(english, spanish), args...)
}

// Capital begins a sentence: with a capital.
func Capital(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return strings.ToUpper(text[:size]) + text[size:]
}

// Spoken is a name as people say it: "pedidos_procesados" is "Pedidos procesados".
func Spoken(name string) string {
	return Capital(strings.TrimSpace(strings.ReplaceAll(name, "_", " ")))
}

// Number writes three digits that matter, or all of the whole part, and never an
// exponent.
func (l Language) Number(v float64) string {
	text := strconv.FormatFloat(v, 'g', 3, 64)
	if math.Abs(v) >= 999.5 {
		text = strconv.FormatFloat(v, 'f', 0, 64)
	} else if strings.Contains(text, "e") {
		text = strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 6, 64), "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	if l.Spanish {
		text = strings.ReplaceAll(text, ".", ",")
	}
	return text
}

// Bytes writes a size.
func (l Language) Bytes(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if math.Abs(n) < 1024 {
			return l.Number(n) + " " + unit
		}
		n /= 1024
	}
	return l.Number(n) + " GiB"
}

// Seconds writes a length of time.
func (l Language) Seconds(s float64) string {
	switch {
	case s <= 0:
		return "0 ms"
	case s < 0.001:
		return l.Number(s*1e6) + " µs"
	case s < 1:
		return l.Number(s*1000) + " ms"
	case s < 120:
		return l.Number(s) + " s"
	}
	return l.Number(s/60) + " min"
}

// Percent writes a share, 0 to 1: whole from 10 % on, else with one decimal.
func (l Language) Percent(share float64) string {
	v := share * 100
	if math.Abs(v) >= 10 {
		return l.Number(math.Round(v)) + " %"
	}
	return l.Number(math.Round(v*10)/10) + " %"
}

// waits are what package stacks says that a goroutine waits for, in Spanish.
var waits = map[string]string{
	"sleep": "pausa (sleep)", "a free database connection": "una conexión libre a la base de datos", "lock": "un candado (lock)",
	"other goroutines": "otras goroutines", "condition": "una condición", "network or file": "la red o un archivo", "select": "select",
	"channel receive": "recibir de un canal", "channel send": "enviar a un canal", "for ever": "para siempre", "system call": "una llamada al sistema",
}

// Wait says what a goroutine waits for, which package stacks says in English.
func (l Language) Wait(reason string) string {
	if spanish, ok := waits[reason]; ok && l.Spanish {
		return spanish
	}
	return reason
}

// sentences are what the service says in English of itself, to programs and the
// log, and what it says in Spanish where a person reads it.
var sentences = []struct {
	english *regexp.Regexp
	spanish string
}{
	{regexp.MustCompile(`^there are no recent data: its alerts are as they were$`), "no hay datos recientes: sus alertas siguen como estaban"},
	{regexp.MustCompile(`^(.+) answers (\d+) % of its requests with 5xx$`), "$1 responde con 5xx al $2 % de sus peticiones"},
	{regexp.MustCompile(`^(\d+) % of all requests are answered with 5xx$`), "El $1 % de todas las peticiones recibe un 5xx"},
	{regexp.MustCompile(`^(.+): no answer after (\S+)$`), "$1: sin respuesta tras $2"},
	{regexp.MustCompile(`^(.+): not waited for: (.+)$`), "$1: no se esperó: $2"},
	{regexp.MustCompile(`^(.+): the check ended its goroutine$`), "$1: la comprobación terminó su goroutine"},
	{regexp.MustCompile(`^(.+): the check panicked: (.+)$`), "$1: la comprobación hizo panic: $2"},
	{regexp.MustCompile(`^telemetry: was shut down$`), "la telemetría se apagó"},
}

// Sentence writes in the language what the service says in English of itself:
// why a rule was not evaluated, why the service is not well. What others say
// stays as it is.
func (l Language) Sentence(english string) string {
	if l.Spanish {
		for _, s := range sentences {
			if s.english.MatchString(english) {
				return s.english.ReplaceAllString(english, s.spanish)
			}
		}
	}
	return english
}
