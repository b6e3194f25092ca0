package embedded

import "testing"

// What a container keeps in its own layer or in memory is new at each start;
// what is on a volume is not, and a machine's own folders are not.
func TestFolderThatEndsWithContainer(t *testing.T) {
	t.Parallel()
	const (
		container = "1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / /proc rw - proc proc rw\n3 1 0:3 / /tmp rw - tmpfs tmpfs rw\n" +
			"4 1 8:1 /volumes/x/_data /data rw - ext4 /dev/sda1 rw\n5 4 0:5 / /data/scratch rw - tmpfs tmpfs rw\n6 1 8:1 /y /my\\040data rw - xfs /dev/sda1 rw\n"
		machine = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n3 1 0:3 / /tmp rw - tmpfs tmpfs rw\n"
	)
	for _, c := range []struct{ mounts, path, want string }{
		{container, "/home/me/.cache/latido/shop", "the container's own layer"},
		{container, "/tmp/cache/latido/shop", "memory"},
		{container, "/data/latido/shop", ""},
		{container, "/data/scratch/latido", "memory"},
		{container, "/database", "the container's own layer"},
		{container, "/my data/latido", ""},
		{machine, "/tmp/latido", ""},
		{machine, "/home/me", ""},
		{"", "/data", ""},
		{"1 0 0:1 / /\nnonsense\n", "/data", ""},
	} {
		if got := fleeting(c.mounts, c.path); got != c.want {
			t.Errorf("%s ends with %q, want %q", c.path, got, c.want)
		}
	}
}
