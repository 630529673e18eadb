//go:build !linux

package agent

// ReleaseCode does nothing where there are no agents.
func ReleaseCode() error { return nil }
