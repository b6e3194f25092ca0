//go:build !linux

package prom

func childFullDisk(string) error { return nil }
