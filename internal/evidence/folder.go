package evidence

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/latido-dev/latido/internal/whole"
)

// unfinished starts the name of what is being written. A crash leaves it
// behind, and the next start removes it.
const unfinished = ".unfinished-"

// readFolders reads the incidents that are kept in a folder, oldest first, and
// makes the folder. One that is no incident is left alone.
func readFolders(dir string) ([]*entry, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	folders, err := os.ReadDir(dir) // sorted by name, and so by time
	if err != nil {
		return nil, err
	}
	var found []*entry
	for _, f := range folders {
		path := filepath.Join(dir, f.Name())
		if strings.HasPrefix(f.Name(), unfinished) {
			removeFolder(path)
			continue
		}
		if !f.IsDir() || !idPattern.MatchString(f.Name()) {
			continue
		}
		data, err := whole.Read(filepath.Join(path, fileJSON))
		if err != nil {
			continue
		}
		in := &Incident{}
		if json.Unmarshal(data, in) != nil || in.ID != f.Name() {
			continue
		}
		found = append(found, &entry{incident: in, bytes: folderSize(path)})
	}
	return found, nil
}

// writeFolder writes files into a new folder: it is there with all of them, or
// not at all.
func writeFolder(dir, name string, files map[string][]byte) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp := filepath.Join(dir, unfinished+name)
	defer func() {
		if err != nil {
			removeFolder(tmp)
		}
	}()
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	for file, data := range files {
		if err := whole.Write(filepath.Join(tmp, file), data); err != nil {
			return err
		}
	}
	return os.Rename(tmp, filepath.Join(dir, name))
}

// replaceFiles replaces files in a folder, each at once.
func replaceFiles(dir string, files map[string][]byte) error {
	for file, data := range files {
		if err := whole.Write(filepath.Join(dir, file), data); err != nil {
			return err
		}
	}
	return nil
}

// replaceFolder replaces what is in a folder with files, each at once.
func replaceFolder(dir string, files map[string][]byte) error {
	if err := replaceFiles(dir, files); err != nil {
		return err
	}
	had, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range had {
		if files[f.Name()] == nil {
			err = errors.Join(err, os.Remove(filepath.Join(dir, f.Name())))
		}
	}
	return err
}

func folderSize(dir string) (n int64) {
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// removeFolder removes a folder of ours with its files. What cannot be removed
// is in nobody's way.
func removeFolder(path string) { _ = os.RemoveAll(path) }
