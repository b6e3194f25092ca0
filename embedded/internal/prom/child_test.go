package prom

func child() bool { return false }
