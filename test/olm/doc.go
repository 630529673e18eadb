// Package olm brings the operator to a cluster as its users get it: by a bundle, in a catalog, through the Operator
// Lifecycle Manager. The manager's own programs, built from source like the cluster's, run as Pods.
package olm
