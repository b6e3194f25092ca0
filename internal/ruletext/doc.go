// Package ruletext runs the texts of alerts, which are templates, as
// Prometheus does when an alert fires. So a text that would fail then is found
// when the domain file is read.
package ruletext
