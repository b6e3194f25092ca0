package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Path returns the absolute path of a server's binary, such as "prometheus" or
// "promtool", in $LATIDO_SERVERS_DIR or else latido/servers in the user's cache
// folder. It fails the test when the binary was not built.
func Path(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(filepath.Join(binaries(t), name)) // also checks that it may be executed
	if err != nil {
		t.Fatalf("%v: run e2e/servers/build.sh %s", err, name)
	}
	return path
}

// binaries is the folder that build.sh builds into. It is not the one of
// [os.UserCacheDir], which differs by system while the script's does not.
func binaries(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("LATIDO_SERVERS_DIR")
	if dir == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(os.Getenv("HOME"), ".cache")
		}
		dir = filepath.Join(cache, "latido", "servers")
	}
	if !filepath.IsAbs(dir) { // tests run in the folders of their packages, build.sh does not
		t.Fatalf("folder of the servers %q: LATIDO_SERVERS_DIR must be an absolute path", dir)
	}
	return dir
}
