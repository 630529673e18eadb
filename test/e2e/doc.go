// Package e2e tells the operator's stories on a real cluster: one that the suite starts and removes itself, or, with
// KUBECONFIG set, the user's own. Everything in it is a test, so the package has no other code.
//
// Each story has a namespace of its own. Most leave the operator alone and run beside each other; those that disturb
// it (take its source of usage away, kill it, give it other flags) or need silence wait for the others to end and then
// have it to themselves. A story that fails shows the state of its world: Deployments, Pods, AppMonitors, Events and
// the operator's log.
//
// What the controller does by itself is told without agents. The stories of agents are told by a run of their own, on a
// cluster that has some.
//
// On a cluster of one's own the images are taken from the variables IMG, MEMHOG_IMG and PROMETHEUS_IMG; where one is
// not set, the node must have the image under the name that it has here. What needs the node's processes or the API
// server's audit log is skipped there.
package e2e
