// Package servers starts the real servers that the tests of Latido run
// against, on free ports of the loopback interface, and asks them questions.
//
//	prom := servers.StartPrometheus(t, servers.PrometheusConfig{
//		Scrape: []servers.Scrape{{Job: "tienda", Targets: []string{"127.0.0.1:9464"}}},
//	})
//	up := prom.WaitForQuery(t, servers.Patience, `up{job="tienda"} == 1`)
//
// The binaries are built by build.sh, beside this file. A test whose server was
// not built fails and says so; it is never skipped. The module of the tests is
// in no workspace: they are run with GOWORK=off.
//
// Every server ends with the test that started it, its data are in the test's
// temporary folder, and its output is shown only when the test failed. Nothing
// here sleeps for a fixed time: [WaitFor] polls until a condition holds.
//
// Functions that take a testing.TB fail the test at once when something goes
// wrong, so they are called from the goroutine that runs the test. The servers
// themselves may be used from several tests at a time.
package servers
