package parcel

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// manifest is the list of what left a depot last, as drivers print it.
func (s *Service) manifest(w http.ResponseWriter, r *http.Request) error {
	codes, err := s.store.lastScanned(r.Context(), r.PathValue("depot"))
	if err != nil {
		return err
	}
	text := manifestText(codes)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, text)
	return nil
}

func manifestText(codes []string) string {
	if fault.On("concatenation") {
		text := ""
		for copies := range 14 {
			for i, code := range codes {
				text += fmt.Sprintf("%5d  %-16s  copy %d  signature ______________________\n", i, code, copies)
			}
		}
		return text
	}
	var b strings.Builder
	for i, code := range codes {
		fmt.Fprintf(&b, "%5d  %-16s  signature ______________________\n", i, code)
	}
	return b.String()
}

func (s *Store) lastScanned(ctx context.Context, depot string) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT shipment FROM scans WHERE depot = ? ORDER BY at DESC LIMIT 400", depot)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var codes []string
	for rows.Next() {
		var code string
		if err := rows.Scan(&code); err != nil {
			return nil, err
		}
		codes = append(codes, code)
	}
	return codes, rows.Err()
}
