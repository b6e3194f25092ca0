package alerting

import "time"

// burn is a pair of windows in which an error budget burns too fast: the share
// of the budget that is gone when it does for all of the long window. The
// short one ends the alert soon after the burning ends.
type burn struct {
	long, short time.Duration
	// share is in percent of the budget. With long it gives the factor: how many
	// times as fast as would use up the budget just at the end of its window.
	share float64
}

// burns are those of an objective over 30 days, by severity, from "Alerting on
// SLOs", table 5-8, in Google's Site Reliability Workbook
// (https://sre.google/workbook/alerting-on-slos/). Of another window they are
// the same part, so that the factors and the shares of the budget stay.
var burns = struct {
	of           time.Duration
	page, ticket [2]burn
}{
	of: 30 * day,
	page: [2]burn{
		{long: time.Hour, short: 5 * time.Minute, share: 2},      // factor 14.4
		{long: 6 * time.Hour, short: 30 * time.Minute, share: 5}, // factor 6
	},
	ticket: [2]burn{
		{long: day, short: 2 * time.Hour, share: 10},     // factor 3
		{long: 3 * day, short: 6 * time.Hour, share: 10}, // factor 1
	},
}

const day = 24 * time.Hour

// leastBurn is the shortest window in which a rate can be seen with the usual
// scrapes of every 15 seconds.
const leastBurn = time.Minute

// scaled is the pair for an objective over another window.
func (b burn) scaled(window time.Duration) burn {
	scale := func(d time.Duration) time.Duration {
		return max(time.Duration(float64(d)*float64(window)/float64(burns.of)).Round(10*time.Second), leastBurn)
	}
	return burn{long: scale(b.long), short: scale(b.short), share: b.share}
}
