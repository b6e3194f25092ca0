package parcel

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/latido-dev/latido/telemetry"
)

// Settings are what an administrator may change while the service runs.
type Settings struct {
	file   string
	tel    *telemetry.Telemetry
	values map[string]string
}

// NewSettings reads them from file, which need not be there.
func NewSettings(file string, tel *telemetry.Telemetry) *Settings {
	tel.Changed("receipt_footer", "", "") // known from the start
	return &Settings{file: file, tel: tel, values: map[string]string{}}
}

// Refresh reads them again.
func (s *Settings) Refresh(context.Context) error {
	data, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	now := map[string]string{}
	if err == nil {
		err = json.Unmarshal(data, &now)
	}
	if err != nil {
		return err
	}
	for name, value := range now {
		if value != s.values[name] {
			s.tel.Changed(name, s.values[name], value)
		}
	}
	s.values = now
	return nil
}
