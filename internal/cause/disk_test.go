package cause_test

import (
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

// writesFail has a place answer all requests to POST /citas with 500, while the disk
// is so full.
func writesFail(s *service, disk moved, site string) {
	s.level("disk_usage", disk)
	s.endpoint("POST /citas").status["500"] = moved{0, 1}
	s.count("failures", moved{0, 10}, "endpoint", "/citas", "status", "500", "site", site)
	s.alert = failing(s)
}

var diskFaults = []fault{
	{"no space is left", func(s *service) {
		writesFail(s, moved{97, 100}, "clinic.(*Journal).Append (journal.go:28)")
		s.count("api_errors", moved{0, 10}, "error_type", "disk_full")
	}, "disk", "clinic.(*Journal).Append", ""},
	{"the disk fills", func(s *service) {
		s.lasts = 10 * minute
		s.creeps("disk_usage", moved{55, 92})
		s.alert = about(s, "disk_usage", ">", 90)
	}, "disk", "9", ""},
	{"the disk fills, and it is known with what", func(s *service) {
		s.lasts = 10 * minute
		s.creeps("disk_usage", moved{55, 92})
		s.grown = cause.Folder{Path: "/var/log/clinic.log", PerSecond: 5 << 20}
		s.alert = about(s, "disk_usage", ">", 90)
	}, "disk", "/var/log/clinic.log", ""},
	{"no space is left, and it is known where that went", func(s *service) {
		writesFail(s, moved{97, 100}, "clinic.(*Journal).Append (journal.go:28)")
		s.count("api_errors", moved{0, 10}, "error_type", "disk_full")
		s.grown = cause.Folder{Path: "/data/exports", Bytes: 300 << 20, Files: 12}
	}, "disk", "/data/exports", ""},
	{"the disk is full, and what fails does not say so", func(s *service) {
		writesFail(s, moved{96, 99}, "clinic.(*Journal).Append (journal.go:28)")
	}, "disk", "clinic.(*Journal).Append", ""},
	// Rivals.
	{"requests fail while the disk fills, and has room", func(s *service) {
		writesFail(s, moved{85, 90}, "clinic.(*API).reserve (api.go:99)")
	}, "errors", "clinic.(*API).reserve", ""},
	{"requests fail while the disk is nearly full as ever", func(s *service) {
		writesFail(s, same(96), "clinic.(*API).reserve (api.go:99)")
	}, "errors", "clinic.(*API).reserve", ""},
}

func TestDisk(t *testing.T) { try(t, diskFaults) }
