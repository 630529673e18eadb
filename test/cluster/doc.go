// Package cluster runs a real single-node Kubernetes for tests and demos.
package cluster
