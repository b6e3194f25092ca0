package alerting

import "time"

type trial struct{}
type scene struct{ interval time.Duration }

func (b builder) trials(q question, r Rule) []trial { return nil }
func (b builder) scene(r Rule, name string) *scene  { return &scene{interval: time.Second} }
func (s *scene) steady(family string, labels map[string]string, start, step float64, until time.Duration) {
}
func (s *scene) add(family string, labels map[string]string, values string) {}
func (s *scene) fires(after time.Duration, labels map[string]string, value float64) trial {
	return trial{}
}
func (s *scene) silent(after time.Duration) trial          { return trial{} }
func target(labels ...string) map[string]string            { return nil }
func finished(r Rule, t []trial) []trial                   { return t }
func drillOf([]trial) Drill                                { return Drill{} }
func (o objective) trials(s any, p []burn, r Rule) []trial { return nil }
