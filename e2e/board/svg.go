package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// svg is a drawing as it is written, from back to front.
type svg struct{ strings.Builder }

// area is a rectangle of the drawing, in pixels.
type area struct{ x, y, w, h float64 }

func (a area) bottom() float64 { return a.y + a.h }
func (a area) right() float64  { return a.x + a.w }

// inset is the area without its edges.
func (a area) inset(left, top, right, bottom float64) area {
	return area{a.x + left, a.y + top, a.w - left - right, a.h - top - bottom}
}

// start opens an element with attributes, a name and a value each, which is a
// number or a text.
func (s *svg) start(element string, attributes ...any) {
	s.tag(element, ">", attributes)
}

func (s *svg) end(element string) { s.WriteString("</" + element + ">\n") }

// empty writes an element without content.
func (s *svg) empty(element string, attributes ...any) {
	s.tag(element, "/>\n", attributes)
}

func (s *svg) tag(element, end string, attributes []any) {
	s.WriteString("<" + element)
	for i := 0; i+1 < len(attributes); i += 2 {
		s.WriteString(" " + attributes[i].(string) + `="`)
		switch v := attributes[i+1].(type) {
		case float64:
			s.WriteString(number(v))
		default:
			s.escaped(fmt.Sprint(v))
		}
		s.WriteString(`"`)
	}
	s.WriteString(end)
}

func (s *svg) escaped(text string) {
	_ = xml.EscapeText(s, []byte(text)) // a Builder never fails
}

// element writes an element that is only a text.
func (s *svg) element(name, text string, attributes ...any) {
	s.start(name, attributes...)
	s.escaped(text)
	s.end(name)
}

// text writes a line whose baseline starts at x, y. Its look is a class of the
// picture's style.
func (s *svg) text(x, y float64, class, text string, attributes ...any) {
	s.element("text", text, append([]any{"x", x, "y", y, "class", class}, attributes...)...)
}

func (s *svg) rect(a area, attributes ...any) {
	s.empty("rect", append([]any{"x", a.x, "y", a.y, "width", a.w, "height", a.h}, attributes...)...)
}

func (s *svg) line(x1, y1, x2, y2 float64, attributes ...any) {
	s.empty("line", append([]any{"x1", x1, "y1", y1, "x2", x2, "y2", y2}, attributes...)...)
}

// number has a tenth of a pixel, which nobody sees, and no zeros at its end.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64) // + 0: without the sign of -0
}

// widthOf is about how wide a text is: SVG cannot be asked without a browser.
// It errs to the wide side.
func widthOf(text string, size float64) float64 {
	var w float64
	for _, r := range text {
		switch {
		case strings.ContainsRune("il.,:;|!'()[]{}/ It1fjr", r):
			w += 0.42
		case strings.ContainsRune("mwMW@%", r), r > 0x2000:
			w += 0.92
		case r >= 'A' && r <= 'Z':
			w += 0.70
		default:
			w += 0.58
		}
	}
	return w * size
}

// cut shortens a text to a width.
func cut(text string, size, width float64) string {
	if widthOf(text, size) <= width {
		return text
	}
	for text != "" && widthOf(text+"…", size) > width {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	return strings.TrimRight(text, " ") + "…"
}
