package domain

import "strings"

// Domain is what one service is about. Its fields are the keys of the domain
// file. It is plain data: copy it, compare it, build it in code. Nothing in
// it changes once it was handed to telemetry.Init.
type Domain struct {
	// Prefix starts the name of every metric of the process:
	// ^[a-z][a-z0-9_]{1,30}[a-z0-9]$, and none of the reserved words.
	Prefix string `yaml:"prefix"`
	// App is the service's name: service.name in OpenTelemetry, the job in
	// Prometheus, the application in Pyroscope. Empty means Prefix + "-api".
	App string `yaml:"app,omitempty"`
	// Entity is what the service is mostly about, in the singular: "pedido".
	Entity string `yaml:"entity"`
	// Description is one sentence for the heading of dashboards and runbook.
	Description string `yaml:"description,omitempty"`
	// Language of the generated texts: "en" (the default) or "es".
	Language string `yaml:"language,omitempty"`
	// Errors lists the error types that APIError counts by name. Those in
	// BuiltinErrors need not be listed.
	Errors []string `yaml:"errors,omitempty"`
	// Buckets are the bounds of response_duration and function_duration.
	Buckets Buckets `yaml:"buckets,omitempty"`
	// TimeZone is that of every mute, by its name in the time zone database:
	// America/Bogota. Empty means UTC.
	TimeZone string `yaml:"time_zone,omitempty"`
	// Peers lists the hosts that the service sends requests to, by name without
	// a port: at most MaxPeers, the values of the label peer of client.requests.
	// Others count as Other. Empty means the first MaxPeers that are met.
	Peers []string `yaml:"peers,omitempty"`
	// Events are the business events that the service counts or measures.
	Events []Event `yaml:"events,omitempty"`
	// Thresholds are alert rules on the service's own metrics.
	Thresholds []Threshold `yaml:"thresholds,omitempty"`
	// SLOs are objectives with an error budget.
	SLOs []SLO `yaml:"slos,omitempty"`
	// DefaultRules says which of the rules that every domain gets are off.
	DefaultRules DefaultRules `yaml:"default_rules,omitempty"`
	// Notify lists who hears of an alert.
	Notify []Receiver `yaml:"notify,omitempty"`
	// Links are addresses that generated files have in them.
	Links Links `yaml:"links,omitempty"`
}

// Links are addresses that generated files have in them.
type Links struct {
	// Runbook is where the runbook is published: alerts and dashboards link to
	// its sections. Empty means no such links.
	Runbook string `yaml:"runbook,omitempty"`
	// Evidence is the base URL of the service's admin listener as an
	// Alertmanager server reaches it. The Alertmanager then calls the service
	// with every alert, and the service keeps an incident. Empty means neither.
	Evidence string `yaml:"evidence,omitempty"`
	// ExternalURL is the base URL of what keeps the incidents as people reach it
	// from their own machines: the service's admin listener, or latido evidence
	// beside Prometheus. Alerts link to their incidents below it.
	// Empty means no such links in what leaves this machine.
	ExternalURL string `yaml:"external_url,omitempty"`
	// Prometheus is the base URL of the Prometheus server as people reach it:
	// alerts link to their query. Empty means no such links.
	Prometheus string `yaml:"prometheus,omitempty"`
	// Alertmanager is the base URL of the Alertmanager server as people reach it:
	// its own links lead there.
	Alertmanager string `yaml:"alertmanager,omitempty"`
	// Grafana is the base URL of Grafana as people reach it: alerts link to their
	// dashboard. Empty means no such links.
	Grafana string `yaml:"grafana,omitempty"`
}

// Buckets are the upper bounds of the histograms that every service has. A list
// that is empty means 1 and 2.5 ms, and the bounds of OpenTelemetry's
// http.server.request.duration, from 5 ms to 10 s. The limits of thresholds and
// objectives need not be among them: each is added by itself.
type Buckets struct {
	// ResponseDuration are those of response_duration, rising: [50ms, 1s, 1h].
	ResponseDuration []Quantity `yaml:"response_duration,omitempty"`
	// FunctionDuration are those of function_duration.
	FunctionDuration []Quantity `yaml:"function_duration,omitempty"`
}

// Kind is how an event is measured.
type Kind string

// The kinds of an event. The empty Kind means KindCounter.
const (
	KindCounter   Kind = "counter"   // only goes up: pedidos_procesados
	KindUpDown    Kind = "updown"    // goes up and down: carritos_activos
	KindHistogram Kind = "histogram" // a distribution: valor_pedido
	KindGauge     Kind = "gauge"     // a level that is set or observed: nivel_tanque
)

// Event is one business event, and so one metric family.
type Event struct {
	// Name is the family's name after the prefix: pedidos_procesados.
	Name string `yaml:"name"`
	// Description is the family's help text.
	Description string `yaml:"description,omitempty"`
	// Kind is how it is measured. Empty means a counter.
	Kind Kind `yaml:"kind,omitempty"`
	// Unit is a UCUM unit such as "s" or "By", or a currency such as "COP".
	// It becomes a suffix in Prometheus. Empty means none.
	Unit string `yaml:"unit,omitempty"`
	// Buckets are a histogram's upper bounds, rising. Empty means those of the
	// OpenTelemetry SDK, from 0 to 10000. The limits of thresholds are added.
	// Values below 0 are refused, unless a bound is below 0.
	Buckets []float64 `yaml:"buckets,omitempty"`
	// Attributes maps each attribute to all the values it may have. A value
	// that is not listed is recorded as Other, so that the number of series is
	// known beforehand: at most MaxCombinations for one event, and MaxSeries
	// for all.
	Attributes map[string][]string `yaml:"attributes,omitempty"`
	// Endpoint is the route whose requests produce the event, with its method:
	// "POST /pedidos". Its CPU time and allocations over the event's count are
	// what one event costs: the metrics event_cpu and event_allocated. Without a
	// method they have those of all its methods in them. Only a counter has one.
	// Empty means that its cost is not known.
	Endpoint string `yaml:"endpoint,omitempty"`
	// Was lists former names of the event. Until WasUntil its series are served
	// under these too, and rules find it under any of them.
	Was []string `yaml:"was,omitempty"`
	// WasUntil is the last day of the former names: 2027-03-31.
	WasUntil string `yaml:"was_until,omitempty"`
}

// Route is the event's Endpoint in two: its method, "" for all of them, and its
// pattern as the label endpoint has it. Both are "" without an Endpoint.
func (e *Event) Route() (method, endpoint string) {
	if method, endpoint, ok := strings.Cut(e.Endpoint, " "); ok {
		return method, strings.TrimLeft(endpoint, " ")
	}
	return "", e.Endpoint
}

// Stat is what a threshold computes from its metric.
type Stat string

// The statistics of a threshold. The empty Stat means the one that suits the
// metric: p95 of a histogram, rate of a counter, value of anything else; see
// [Kind.Stats].
const (
	StatP50      Stat = "p50"
	StatP95      Stat = "p95"
	StatP99      Stat = "p99"
	StatMean     Stat = "mean"
	StatRate     Stat = "rate"     // per second, or per the threshold's Per
	StatIncrease Stat = "increase" // over the window
	StatRatio    Stat = "ratio"    // percent of all that the filtered series are
	StatValue    Stat = "value"    // as it stands
	StatMax      Stat = "max"      // the highest within the window
	StatMin      Stat = "min"      // the lowest within the window
)

// Severity says how loud an alert is.
type Severity string

// The severities. The empty Severity means SeverityTicket.
const (
	SeverityPage   Severity = "page"   // someone wakes up
	SeverityTicket Severity = "ticket" // someone looks tomorrow
	SeverityInfo   Severity = "info"   // nobody needs to act
)

// Threshold is an alert rule in the domain's words: on a metric of the
// contract, on an event, or on an expression in PromQL.
type Threshold struct {
	// Name is the alert's name, unique within the domain.
	Name string `yaml:"name"`
	// Metric is a metric of the contract by its short name (response_duration,
	// requests, cpu_usage ...). Exactly one of Metric, Event, Expr and
	// Heartbeat is set.
	Metric string `yaml:"metric,omitempty"`
	// Event is the name of an event of this domain.
	Event string `yaml:"event,omitempty"`
	// Expr is an expression in PromQL, for what the other fields cannot say.
	Expr string `yaml:"expr,omitempty"`
	// Heartbeat makes an alert that always fires, so that its silence is noticed.
	Heartbeat bool `yaml:"heartbeat,omitempty"`
	// Stat is computed over Window. Empty means what suits the metric.
	Stat Stat `yaml:"stat,omitempty"`
	// Window is how far back Stat looks. 0 means 5 minutes.
	Window Duration `yaml:"window,omitempty"`
	// Per is the time that a rate is given for. 0 means one second.
	Per Duration `yaml:"per,omitempty"`
	// Where keeps only the series whose labels match: a value, or a regular
	// expression after "=~" or "!~", or after "!=" a value to leave out. See
	// [ParseMatcher].
	Where map[string]string `yaml:"where,omitempty"`
	// By evaluates the rule for each value of a label: "endpoint".
	By string `yaml:"by,omitempty"`
	// Above fires the alert when the statistic is higher: 2s, 80%, 256MiB.
	// Exactly one of Above, Below and Equals is set, except with Expr, whose
	// comparison may be its own, and Heartbeat, which has none.
	Above *Quantity `yaml:"above,omitempty"`
	// Below fires the alert when the statistic is lower.
	Below *Quantity `yaml:"below,omitempty"`
	// Equals fires the alert when the statistic is just that.
	Equals *Quantity `yaml:"equals,omitempty"`
	// MinCount is how many requests, calls or events there must be in Window for
	// a quantile, a ratio or the mean of a histogram to say anything: with fewer
	// there is no alert. Nil means DefaultMinCount, 0 any number.
	MinCount *int `yaml:"min_count,omitempty"`
	// For is how long the condition holds before the alert fires.
	For Duration `yaml:"for,omitempty"`
	// KeepFiring is how long the alert goes on once the condition is over.
	KeepFiring Duration `yaml:"keep_firing,omitempty"`
	// Severity routes the alert. Empty means SeverityTicket.
	Severity Severity `yaml:"severity,omitempty"`
	// Summary says in one line what is wrong.
	Summary string `yaml:"summary,omitempty"`
	// Description says it at length. Empty means one made from the rule.
	Description string `yaml:"description,omitempty"`
	// Impact says for the runbook who suffers and how.
	Impact string `yaml:"impact,omitempty"`
	// Runbook lists what to do, step by step.
	Runbook []string `yaml:"runbook,omitempty"`
	// Mute lists when nobody is told of the alert. One that still fires then is
	// told of afterwards. A heartbeat has none.
	Mute []Mute `yaml:"mute,omitempty"`
}

// Mute is a time in which alerts are not told: all of its lists that are not
// empty must hold. In the process and on servers it is a time interval of
// Alertmanager's.
type Mute struct {
	// Weekdays are days of the week, or from one to another: [saturday, sunday],
	// [friday:monday]. Empty means every day.
	Weekdays []string `yaml:"weekdays,omitempty"`
	// Times are times of the day, to 24:00: [22:00-06:00]. A time that goes on
	// after midnight belongs to the day on which it begins. Empty means all day.
	Times []string `yaml:"times,omitempty"`
	// Dates are days of the calendar, or from one to another, for work that is
	// planned: [2026-12-24, 2026-12-30:2027-01-02]. Empty means every date.
	Dates []string `yaml:"dates,omitempty"`
}

// DefaultMinCount is what a MinCount that is nil means, and what the rules that
// every domain gets ask for: one request at night says nothing of a service.
const DefaultMinCount = 20

// SLO is a service level objective over requests or over an event.
type SLO struct {
	// Name is unique within the domain.
	Name string `yaml:"name"`
	// Description is for dashboards and runbook.
	Description string `yaml:"description,omitempty"`
	// Objective is the percentage that must be good, below 100: 99.9.
	Objective float64 `yaml:"objective"`
	// Window is what the error budget is for. 0 means 30 days.
	Window Duration `yaml:"window,omitempty"`
	// Good says which of the total are good.
	Good Good `yaml:"good"`
	// Total is the event that counts all, when Good is an event.
	Total string `yaml:"total,omitempty"`
	// Where narrows what the objective is about, as in Threshold.
	Where map[string]string `yaml:"where,omitempty"`
	// MinCount is how many requests or events there must be in a burn window:
	// with fewer there is no alert. Nil means DefaultMinCount, 0 any number.
	MinCount *int `yaml:"min_count,omitempty"`
	// Runbook lists what to do when the budget burns.
	Runbook []string `yaml:"runbook,omitempty"`
	// Mute lists when nobody is told of the objective's alerts.
	Mute []Mute `yaml:"mute,omitempty"`
}

// Good says what counts as good: exactly one of its fields is set.
type Good struct {
	// Status matches the status label, as in Threshold.Where: "!~5..".
	Status string `yaml:"status,omitempty"`
	// FasterThan is a latency, from 1 ms to a day. It becomes a bound of
	// response_duration.
	FasterThan Duration `yaml:"faster_than,omitempty"`
	// Event is the event that counts the good ones.
	Event string `yaml:"event,omitempty"`
}

// DefaultRules are the rules that every domain gets.
type DefaultRules struct {
	// Disable names those that this domain does without; "all" for every one.
	Disable []string `yaml:"disable,omitempty"`
}

// Receiver is one who hears of alerts: exactly one of its kinds is set.
type Receiver struct {
	// Severities are those that this receiver hears of. Empty means all.
	Severities []Severity `yaml:"severities,omitempty"`
	// Mute lists when this receiver is not told. A heartbeat is never muted:
	// whoever waits for it would take its silence for a fault.
	Mute []Mute `yaml:"mute,omitempty"`

	// Log writes alerts to the service's own log.
	Log *LogReceiver `yaml:"log,omitempty"`
	// Action calls a Go function that the service registered under this name.
	Action *ActionReceiver `yaml:"action,omitempty"`
	// Email sends mail.
	Email *EmailReceiver `yaml:"email,omitempty"`
	// Webhook posts the alert as JSON.
	Webhook *WebhookReceiver `yaml:"webhook,omitempty"`
	// Slack posts to a channel.
	Slack *SlackReceiver `yaml:"slack,omitempty"`
	// Alertmanager hands alerts to an Alertmanager server.
	Alertmanager *AlertmanagerReceiver `yaml:"alertmanager,omitempty"`
	// Other is any further integration of Alertmanager by its name there, with
	// its options as Alertmanager has them. In the file it stands like the kinds
	// above: "- pagerduty: {routing_key_file: ...}".
	Other map[string]map[string]any `yaml:",inline"`
}

// integrations are the receivers of Alertmanager that Receiver.Other may name:
// those of its configuration file, less the ones that have a field here.
var integrations = []string{
	"discord", "incidentio", "jira", "mattermost", "msteams", "msteamsv2", "opsgenie", "pagerduty", "pushover",
	"rocketchat", "sns", "telegram", "victorops", "webex", "wechat",
}

// LogReceiver has no options.
type LogReceiver struct{}

// ActionReceiver names a Go function.
type ActionReceiver struct {
	// Name is the one that the service gave with the function.
	Name string `yaml:"name"`
}

// EmailReceiver sends mail over SMTP.
type EmailReceiver struct {
	// To are the addresses, at least one.
	To []string `yaml:"to"`
	// From is the sender. Empty means latido@ and the smtp host.
	From string `yaml:"from,omitempty"`
	// SMTP is the server's host:port.
	SMTP string `yaml:"smtp"`
	// Username for a server that wants a password. Empty means the sender.
	Username string `yaml:"username,omitempty"`
	// PasswordEnv is the environment variable that holds the password.
	PasswordEnv string `yaml:"password_env,omitempty"`
	// PasswordFile is a file that holds the password.
	PasswordFile string `yaml:"password_file,omitempty"`
	// Plaintext allows a server without TLS. A password is never sent to one.
	Plaintext bool `yaml:"plaintext,omitempty"`
}

// WebhookReceiver posts to a URL: one of the three is set. A URL is a secret
// when it has a token in it; then give it by environment or file.
type WebhookReceiver struct {
	// URL is where to post, http or https.
	URL string `yaml:"url,omitempty"`
	// URLEnv is the environment variable that holds the URL.
	URLEnv string `yaml:"url_env,omitempty"`
	// URLFile is a file that holds the URL.
	URLFile string `yaml:"url_file,omitempty"`
}

// SlackReceiver posts to a channel. Its webhook URL is a secret.
type SlackReceiver struct {
	// Channel is the channel's name with its #, or its id.
	Channel string `yaml:"channel"`
	// URLEnv is the environment variable that holds the webhook's URL.
	URLEnv string `yaml:"url_env,omitempty"`
	// URLFile is a file that holds it.
	URLFile string `yaml:"url_file,omitempty"`
}

// AlertmanagerReceiver is a server that takes the alerts over.
type AlertmanagerReceiver struct {
	// URL is the server's, without /api/v2: http://alertmanager:9093.
	URL string `yaml:"url"`
}
