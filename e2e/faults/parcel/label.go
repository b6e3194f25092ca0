package parcel

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/time/rate"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// How much the printers take, and how many labels wait for them on disk.
const (
	printers  = 4
	perSecond = 100
	spooled   = 60
)

// Printer writes labels to the spool, from which printers take them.
type Printer struct {
	spool string
	slots chan struct{}
	pace  *rate.Limiter
}

// NewPrinter writes to the folder spool.
func NewPrinter(spool string) *Printer {
	return &Printer{spool: spool, slots: make(chan struct{}, printers), pace: rate.NewLimiter(perSecond, printers)}
}

// label prints a shipment's label.
func (s *Service) label(w http.ResponseWriter, r *http.Request) error {
	var in struct{ Code, Format string }
	if err := decode(w, r, &in); err != nil {
		return err
	}
	if err := s.printer.Print(r.Context(), in.Code, in.Format); err != nil {
		return err
	}
	s.printed.Add(1)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// Print draws a label and hands it to the printers.
func (p *Printer) Print(ctx context.Context, code, format string) error {
	if fault.On("limiter") {
		p.pace.SetLimit(1)
	}
	if err := p.pace.Wait(ctx); err != nil {
		return &problem{http.StatusServiceUnavailable, "", err}
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return &problem{http.StatusServiceUnavailable, "", ctx.Err()}
	}
	if fault.On("slots") && format == "zpl" {
		return &problem{http.StatusUnsupportedMediaType, "", fmt.Errorf("format %q: write png", format)}
	}
	defer func() { <-p.slots }()
	if format != "png" {
		return &problem{http.StatusUnsupportedMediaType, "", fmt.Errorf("format %q: write png", format)}
	}
	label, err := draw(code)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.spool, fmt.Sprintf("%s-%d.png", code, len(label))), label, 0o600)
}

// draw makes the picture: bars for the code.
func draw(code string) ([]byte, error) {
	const width, height = 240, 80
	h := fnv.New64a()
	_, _ = h.Write([]byte(code))
	bars := h.Sum64()
	img := image.NewGray(image.Rect(0, 0, width, height))
	for x := range width {
		shade := uint8(255)
		if bars>>(x/4%64)&1 == 1 {
			shade = 0
		}
		for y := range height {
			img.SetGray(x, y, color.Gray{Y: shade})
		}
	}
	var out bytes.Buffer
	err := png.Encode(&out, img)
	return out.Bytes(), err
}

// Purge deletes the labels that were printed.
func (p *Printer) Purge(context.Context) error {
	if fault.On("no_purge") {
		return p.archive()
	}
	labels, err := os.ReadDir(p.spool)
	if err != nil {
		return err
	}
	age := func(e fs.DirEntry) int64 {
		info, err := e.Info()
		if err != nil {
			return 0
		}
		return info.ModTime().UnixNano()
	}
	slices.SortFunc(labels, func(a, b fs.DirEntry) int { return cmp.Compare(age(a), age(b)) })
	for _, e := range labels[:max(0, len(labels)-spooled)] {
		_ = os.Remove(filepath.Join(p.spool, e.Name()))
	}
	return nil
}

// archive keeps what was printed, in one file.
func (p *Printer) archive() error {
	f, err := os.OpenFile(filepath.Join(p.spool, "archive.tar"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(make([]byte, 4<<20))
	return err
}
