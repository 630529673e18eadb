// Package vm boots a small virtual machine whose first process is a test's executable, which so runs on a kernel that is set
// up as the test wants it: here the tests of internal/cgroup, once on each version of control groups, whichever of them the
// machine at hand has.
//
// The machine is Debian's qemu without hardware's help, which is not to be had everywhere, and Debian's kernel for virtual
// machines; it has no disk and no network, and boots within seconds.
package vm
