package evidence

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// put writes a file, and its folder.
func put(t *testing.T, content string, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestForeignFolders: what is no incident is left alone, and hides none that stands
// after it. An incident has the size of all of its files.
func TestForeignFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	id := func(day string) string { return "202601" + day + "T150405Z-cpu-0a1b2c" }
	good := func(day string) {
		put(t, `{"id":"`+id(day)+`"}`, dir, id(day), fileJSON)
		put(t, "page", dir, id(day), fileHTML)
	}
	put(t, "", dir, unfinished+id("01"), fileJSON) // the names are in order
	good("02")
	put(t, "a file", dir, id("03"))
	good("04")
	put(t, "no incident", dir, id("05"), fileHTML)
	good("06")
	put(t, "{", dir, id("07"), fileJSON)
	good("08")
	put(t, `{"id":"../../etc"}`, dir, id("09"), fileJSON)
	good("10")
	put(t, "", dir, "20260111-notes", fileJSON)
	good("12")
	found, err := readFolders(dir)
	if err != nil {
		t.Fatal(err)
	}
	var days []string
	for _, e := range found {
		days = append(days, e.incident.ID[6:8])
		if want := int64(len(`{"id":""}`) + len(e.incident.ID) + len("page")); e.bytes != want {
			t.Errorf("%s has %d bytes, want %d", e.incident.ID, e.bytes, want)
		}
	}
	if got := strings.Join(days, " "); got != "02 04 06 08 10 12" {
		t.Errorf("found %s", got)
	}
	if left, _ := os.ReadDir(dir); len(left) != 11 {
		t.Errorf("%d of 12 are left, want all but the unfinished one", len(left))
	}
}

// TestReplacedFolder: a folder that is replaced has the new files, and none of those
// that are gone.
func TestReplacedFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c", "d"} {
		put(t, "old", dir, name)
	}
	if err := replaceFolder(dir, map[string][]byte{"b": []byte("new"), "e": []byte("new")}); err != nil {
		t.Fatal(err)
	}
	files, _ := os.ReadDir(dir)
	var names []string
	for _, f := range files {
		data, _ := os.ReadFile(filepath.Join(dir, f.Name()))
		names = append(names, f.Name()+" "+string(data))
	}
	if !slices.Equal(names, []string{"b new", "e new"}) {
		t.Errorf("it has %q", names)
	}
}
