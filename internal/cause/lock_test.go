package cause_test

import "testing"

// locked makes the requests to GET /citas wait for a lock that reserving holds
// while it does something.
func locked(s *service, while []string, peer string) {
	s.endpoint("GET /citas").parts["lock"] = &part{each: moved{0.0002, 0.25}, frames: stack(mutexLock, own("(*Agenda).List", 55))}
	s.endpoint("POST /citas").parts["lock"] = &part{each: moved{0.0002, 0.25}, frames: stack(mutexLock, own("(*Agenda).Reserve", 80))}
	s.endpoint("POST /citas").parts["held"] = &part{each: moved{0, 0.09}, frames: stack(while, own("(*Agenda).Reserve", 84)), peer: peer, calls: moved{0, 1}}
	s.mutex = append(s.mutex, standing{moved{0.001, 12}, nil, stack([]string{"sync.(*Mutex).Unlock mutex.go:65"}, own("(*Agenda).Reserve", 86))})
}

// deadlocked has one request wait for ever in then, and many in first.
func deadlocked(s *service, first, then []string, many float64) {
	s.endpoint("GET /citas").requests.after = 0
	of := map[string]string{"method": "GET", "endpoint": "/citas"}
	s.waits = append(s.waits, standing{moved{0, many}, of, stack(mutexLock, first, serving)}, standing{moved{0, 1}, of, stack(mutexLock, then, serving)})
}

var lockFaults = []fault{
	{"a file's lock is held while a picture is drawn", func(s *service) {
		e := s.endpoint("GET /informes")
		flock := []string{"syscall.Syscall syscall_linux.go:73", "syscall.Flock zsyscall_linux_amd64.go:600"}
		e.parts["wait"] = &part{each: moved{0, 1.5}, frames: stack(flock, own("lockFile", 12), own("report.Draw", 30))}
		e.parts["draw"] = &part{each: moved{0.01, 0.3}, computes: true, frames: stack([]string{"crypto/sha256.block sha256block.go:10"}, own("report.render", 50), own("report.Draw", 34))}
		s.alert = slowAt(s, "GET /informes")
	}, "lock", "report.render", ""},
	{"another process has a file's lock", func(s *service) {
		flock := []string{"syscall.Syscall syscall_linux.go:73", "syscall.Flock zsyscall_linux_amd64.go:600"}
		s.endpoint("GET /informes").parts["wait"] = &part{each: moved{0, 1.5}, frames: stack(flock, own("lockFile", 12), own("report.Draw", 30))}
		s.alert = slowAt(s, "GET /informes")
	}, "lock", "lockFile", ""},
	{"a lock is held during a call", func(s *service) { locked(s, httpCall, "avisos.example.com") }, "lock", "clinic.(*Agenda).Reserve", ""},
	{"a lock is held during a call, and another method gave it back as late", func(s *service) {
		locked(s, httpCall, "avisos.example.com")
		s.mutex = append(s.mutex, standing{moved{0.001, 12}, nil, stack([]string{"sync.(*Mutex).Unlock mutex.go:65"}, own("(*Agenda).Undo", 120))})
		s.waits = append(s.waits, standing{same(1), nil, stack(sleeping, own("(*Agenda).Undo", 118))})
	}, "lock", "clinic.(*Agenda).Reserve", ""},
	{"a lock is held while a file is written", func(s *service) { locked(s, fileSync, "") }, "lock", "clinic.(*Agenda).Reserve", ""},
	{"a lock is held during a pause", func(s *service) { locked(s, sleeping, "") }, "lock", "clinic.(*Agenda).Reserve", ""},
	{"a lock is held while another program runs", func(s *service) {
		locked(s, stack([]string{"internal/runtime/syscall.Syscall6 asm_linux_amd64.s:36", "syscall.Syscall6 syscall_linux.go:95", "os.(*Process).pidfdWait pidfd_linux.go:120", "os.(*Process).Wait exec.go:134", "os/exec.(*Cmd).Wait exec.go:900", "os/exec.(*Cmd).Run exec.go:600"}), "")
	}, "lock", "holds a lock while it waits for the program that is started", "en"},
	{"a lock is held by what computes", func(s *service) {
		locked(s, nil, "")
		p := s.endpoint("POST /citas").parts["held"]
		p.computes, p.frames = true, own("(*Agenda).Reserve", 84)
	}, "lock", "clinic.(*Agenda).Reserve", ""},
	{"a lock is held by the background", func(s *service) {
		s.endpoint("GET /citas").parts["lock"] = &part{each: moved{0.0002, 0.25}, frames: stack(readLock, own("(*Cache).Get", 21))}
		s.waits = append(s.waits, standing{moved{0.01, 0.8}, nil, stack(fileSync, own("(*Cache).Save", 44), own("(*Cache).every", 30))})
		s.mutex = append(s.mutex, standing{moved{0.001, 8}, nil, stack([]string{"sync.(*RWMutex).Unlock rwmutex.go:209"}, own("(*Cache).Save", 47), own("(*Cache).every", 30))})
	}, "lock", "clinic.(*Cache).Save", ""},
	{"a lock is never given back", func(s *service) {
		e := s.endpoint("GET /citas")
		e.requests.after = 0
		s.waits = append(s.waits, standing{moved{0, 60}, map[string]string{"method": "GET", "endpoint": "/citas"}, stack(mutexLock, own("(*Agenda).List", 55), serving)})
	}, "lock", "clinic.(*Agenda).List", ""},
	{"two locks are taken in two orders, beside workers that have no work", func(s *service) {
		deadlocked(s, own("(*Bank).Charge", 33), own("(*Bank).Charge", 36), 40)
		deadlocked(s, own("(*Bank).Record", 44), own("(*Bank).Record", 47), 20)
		s.waits = append(s.waits, standing{same(4), nil, stack(chanReceive, own("(*Bank).send", 12))})
	}, "lock", "Deadlock: clinic.(*Bank).Charge (bank.go:36) and clinic.(*Bank).Record (bank.go:47)", "en"},
	{"two types call each other with their locks", func(s *service) {
		deadlocked(s, own("(*Agenda).List", 22), stack(own("(*Agenda).Find", 30), own("(*Rooms).View", 77)), 40)
		s.waits = append(s.waits, standing{moved{0, 1}, nil, stack(mutexLock, own("(*Rooms).Of", 50), own("(*Agenda).Refresh", 72), own("(*Jobs).run", 12))})
	}, "lock", "Deadlock: clinic.(*Agenda).Refresh (agenda.go:72) and clinic.(*Rooms).View (rooms.go:77)", "en"},
	{"locks of one kind are taken in the order of the request", func(s *service) {
		deadlocked(s, own("(*Bank).Move", 33), own("(*Bank).Move", 39), 40)
		s.waits[len(s.waits)-1].seen = moved{0, 3}
		elsewhere := []standing{
			{moved{0.0002, 0.001}, nil, stack([]string{"sync.(*Mutex).Unlock mutex.go:65", "net/http.(*conn).setState server.go:1800", "net/http.(*Server).Serve server.go:3400"}, own("main.serve", 90))},
			{moved{0.0001, 0.0009}, nil, stack([]string{"sync.(*Mutex).Unlock mutex.go:65"}, own("(*Mailer).store", 71))},
		}
		s.mutex = append(s.mutex, elsewhere...)
		s.waits = append(s.waits, standing{same(3), nil, stack(httpCall, own("(*Mailer).ask", 50), own("(*Mailer).store", 71))}, standing{same(1), nil, stack(polling, []string{"net/http.(*Server).Serve server.go:3400"}, own("main.serve", 90))})
	}, "lock", "Deadlock: 3 requests in clinic.(*Bank).Move (bank.go:39) each hold a lock and wait for another", "en"},
	{"two locks are taken in two orders, alert on few requests", func(s *service) {
		deadlocked(s, own("(*Bank).Charge", 33), own("(*Bank).Charge", 36), 40)
		deadlocked(s, own("(*Bank).Record", 44), own("(*Bank).Record", 47), 20)
		s.alert = about(s, "requests", "<", 60)
		s.alert.Expr = "sum by (job) (rate(" + s.family("requests") + "[1m])) < 60"
	}, "lock", "Deadlock: clinic.(*Bank).Charge (bank.go:36) and clinic.(*Bank).Record (bank.go:47)", "en"},
	{"a method that has a lock calls one that takes it", func(s *service) {
		deadlocked(s, own("(*Agenda).Move", 61), stack(own("(*Agenda).Find", 22), own("(*Agenda).Move", 64)), 40)
	}, "lock", "clinic.(*Agenda).Move (agenda.go:64) holds a lock while it waits for another", "en"},
	{"a function that many are in takes one lock twice, and a job has it", func(s *service) {
		for _, line := range []int{55, 58} {
			s.waits = append(s.waits, standing{moved{0, 20}, map[string]string{"method": "GET", "endpoint": "/citas"}, stack(mutexLock, own("(*Agenda).List", line), serving)})
		}
		s.endpoint("GET /citas").requests.after = 0
		s.waits = append(s.waits, standing{moved{0.05, 1}, nil, stack(sleeping, own("(*Agenda).nightly", 90))})
	}, "lock", "clinic.(*Agenda).nightly", ""},
	{"a lock for reading and writing is held by a writer that computes", func(s *service) {
		s.endpoint("GET /medicos/{id}").parts["lock"] = &part{each: moved{0.0001, 0.15}, frames: stack(readLock, own("(*Index).Find", 31))}
		s.cpu = append(s.cpu, standing{moved{0.02, 0.8}, nil, stack([]string{"sort.Slice slice.go:29"}, own("(*Index).rebuild", 52), own("(*Index).run", 45))})
		s.waits = append(s.waits, standing{moved{0.02, 0.8}, nil, stack([]string{"sort.Slice slice.go:29"}, own("(*Index).rebuild", 52), own("(*Index).run", 45))})
		s.mutex = append(s.mutex, standing{moved{0.01, 3}, nil, stack([]string{"sync.(*RWMutex).Unlock rwmutex.go:209"}, own("(*Index).rebuild", 58), own("(*Index).run", 45))})
	}, "lock", "clinic.(*Index).rebuild", ""},
	{"a lock is held during a pause, and given back to nobody yet, beside workers that have no work", func(s *service) {
		s.endpoint("GET /citas").requests.after = 0
		s.waits = append(s.waits, standing{moved{0, 60}, map[string]string{"method": "GET", "endpoint": "/citas"}, stack(mutexLock, own("(*Agenda).List", 55), serving)},
			standing{same(2), nil, stack(chanReceive, own("(*Agenda).work", 12))}, standing{same(2), nil, stack(selecting, own("(*Agenda).watch", 20))},
			standing{moved{0.9, 1}, nil, stack(sleeping, own("(*Agenda).nightly", 90))})
	}, "lock", "clinic.(*Agenda).nightly", ""},
	// Rivals: what is done under the lock became slow.
	{"a call under a lock became slow", func(s *service) {
		locked(s, nil, "")
		delete(s.endpoint("POST /citas").parts, "held")
		p := s.part("POST /citas", "pay")
		p.each.after, p.frames = 0.095, stack(httpCall, own("(*Agenda).Reserve", 84))
	}, "dependency", "pagos.example.com", ""},
	{"a harmless release when a lock is held longer", func(s *service) {
		s.release()
		locked(s, sleeping, "")
	}, "lock", "clinic.(*Agenda).Reserve", ""},
}

func TestLock(t *testing.T) { try(t, lockFaults) }
