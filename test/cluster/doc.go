// Package cluster runs a real single-node Kubernetes for tests, demos and
// benchmarks: every program of it is built from pinned Go modules, its Pods are
// real containers, and it lives in namespaces of its own, so that nothing of it
// touches the machine's container runtime, network or firewall.
//
// Up boots one and Down removes it. A cluster belongs to the process that called
// Up: when that process ends, however it ends, the cluster ends with it, unless
// Options.Detach was set. Open runs the same code against the cluster that
// KUBECONFIG names, for machines that can't run one of their own.
//
// # How it hangs together
//
// Up writes certificates and configuration into a state folder, and then starts
// the calling program's own executable again as the first process of new mount,
// process and network namespaces (see node_linux.go). That process prepares the
// mounts, reaps orphans and holds the supervisor, which starts etcd, the
// Kubernetes programs and containerd. When the first process dies, the kernel
// kills all others, and mounts, network devices and firewall rules vanish with
// their namespaces. What outlives them are the cgroup folders, which the first
// process removes on its way out, and which the next Up or Down removes where it
// could not.
//
// All addresses are from the ranges reserved for documentation, and the node has
// no route to anything but the machine it runs on.
package cluster
