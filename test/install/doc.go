// Package install puts the operator and manifests into a cluster, and waits until they work. It is what the demo and
// the end-to-end tests have in common with `kubectl apply -k config/default`.
package install
