package prom

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/latido-dev/latido/embedded/alert"
)

// TestFullDisk runs a child on a disk of 3 MiB that fills up. It needs a mount
// namespace of its own, and so root or CAP_SYS_ADMIN.
// LATIDO_FULL_DISK says how long the child has to live on the full disk.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	c := childCommand(t, "full disk", t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	c.Stdout = os.Stdout
	if err := c.Run(); err != nil {
		t.Fatalf("the child on the full disk: %v (without the right to mount a disk, run it as root)", err)
	}
}

func childFullDisk(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("a mount namespace of its own: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		return fmt.Errorf("a disk of 3 MiB: %w", err)
	}
	if free, err := freeBytes(dir); err != nil || free > 3<<20 || free < 3<<20-64<<10 { // less what the folder itself takes
		return fmt.Errorf("a disk of 3 MiB has %d bytes left: %w", free, err)
	}
	life := 2 * time.Second
	if s := os.Getenv("LATIDO_FULL_DISK"); s != "" {
		var err error
		if life, err = time.ParseDuration(s); err != nil {
			return err
		}
	}
	// The guard sees that there is no room, and does not write at all.
	if err := liveOn(dir, "guarded", freeBytes, life/4, false); err != nil {
		return err
	}
	// The guard sees nothing: every write until the disk is full, and after. Most
	// of it is full already.
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 2<<20), 0o600); err != nil {
		return err
	}
	if err := liveOn(dir, "blind", plenty, life, true); err != nil {
		return err
	}
	if err := fill(dir); err != nil {
		return err
	}
	if err := liveOn(dir, "restarted, blind", plenty, life/4, true); err != nil {
		return err
	}
	return liveOn(dir, "restarted", freeBytes, life/4, false)
}

// fill leaves no byte on the disk.
func fill(dir string) error {
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil && !errors.Is(err, unix.ENOSPC) {
		return err
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	return nil
}

// liveOn runs a server in a folder that has no room. It has to keep its samples
// in memory and say so, and to answer.
func liveOn(dir, what string, free func(string) (uint64, error), life time.Duration, force bool) error {
	fail := func(err error) error { return fmt.Errorf("%s: %w", what, err) }
	svc := newService()
	svc.set("cpu_percent", 95)
	heard := make(chan alert.Alert, 1000)
	s, err := Start(context.Background(), Config{Dir: filepath.Join(dir, "store"), Metrics: svc, Rules: []byte(cpuRules), free: free, MaxBytes: 64 << 20,
		ScrapeInterval: 50 * time.Millisecond, EvaluationInterval: 50 * time.Millisecond,
		Notify: func(alerts []alert.Alert) {
			for _, a := range alerts {
				select {
				case heard <- a:
				default:
				}
			}
		}})
	if err != nil {
		return fail(err)
	}
	end := time.Now().Add(life)
	tick := time.Tick(5 * time.Millisecond)
	for i := 0; time.Now().Before(end) || s.store.status().Mode != ModeMemory; i++ {
		if time.Now().After(end.Add(3 * time.Minute)) {
			return fail(fmt.Errorf("still on disk: %+v", s.store.status()))
		}
		for n := range 1000 {
			svc.set(fmt.Sprintf("x{i=\"%d\"}", n), rand.Float64())
		}
		if d := s.store.onDiskNow(); force && i%10 == 9 && d != nil { // what happens every half hour
			if err := cut(d); err != nil {
				s.store.leave(d, faultDisk, inMemory, err)
			}
			s.store.poke()
		}
		if force && i%25 == 24 && s.store.status().Mode == ModeMemory { // and after a minute away
			s.store.giveBack()
			s.store.poke()
		}
		<-tick
	}
	st := s.store.status()
	if st.Why == "" || s.store.faults.of(faultDisk) == 0 {
		return fail(fmt.Errorf("it does not say why: %+v", st))
	}
	for late := time.Now().Add(3 * time.Minute); ; <-tick { // the first scrape may come after its life
		found, err := s.Query(context.Background(), "count(last_over_time(cpu_percent[1m]))", time.Now())
		if err == nil && len(found) == 1 {
			break
		}
		if err != nil || time.Now().After(late) {
			return fail(fmt.Errorf("query: %v, %w", found, err))
		}
	}
	select {
	case a := <-heard:
		if a.Name() != "CPUHigh" {
			return fail(fmt.Errorf("got %+v", a))
		}
	case <-time.After(3 * time.Minute):
		return fail(errors.New("no alert"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		return fail(err)
	}
	if err := goleak.Find(); err != nil {
		return fail(err)
	}
	fmt.Printf("%s: %s, %d faults of the disk, %v\n", what, st.Mode, s.store.faults.of(faultDisk), st.Why)
	return nil
}
