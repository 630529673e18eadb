package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// nodeDevice is the name of the link's end inside the node.
const nodeDevice = "eth0"

// createLink makes the pair of devices that connects machine and node, on
// addresses that nothing else on the machine uses. Both ends are on the machine
// until moveLink.
func createLink(cluster string) (link, error) {
	// Two clusters that start at once must not choose the same addresses.
	held, err := lockFolder("/sys/class/net")
	if err != nil {
		return link{}, err
	}
	defer held.Close()
	used, err := networksInUse()
	if err != nil {
		return link{}, err
	}
	chosen, err := freeLink(used)
	if err != nil {
		return link{}, err
	}
	host := deviceName(cluster)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = host
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: peerName(host)}); err != nil {
		return link{}, fmt.Errorf("create network device %s: %w", host, err)
	}
	if err := configureDevice(host, chosen.Host); err != nil {
		return link{}, errors.Join(err, removeLink(cluster))
	}
	return chosen, nil
}

// peerName is the node's end while it is still on the machine.
func peerName(host string) string { return "p" + host[1:] }

// moveLink hands the node's end to the network namespace of a process.
func moveLink(cluster string, pid int) error {
	peer, err := netlink.LinkByName(peerName(deviceName(cluster)))
	if err != nil {
		return fmt.Errorf("network device of the node: %w", err)
	}
	if err := netlink.LinkSetNsPid(peer, pid); err != nil {
		return fmt.Errorf("move network device to the node: %w", err)
	}
	return nil
}

// removeLink deletes the device if it is there: where the node is gone, the
// kernel has deleted it already.
func removeLink(cluster string) error {
	device, err := netlink.LinkByName(deviceName(cluster))
	var notFound netlink.LinkNotFoundError
	if errors.As(err, &notFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := netlink.LinkDel(device); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("delete network device %s: %w", deviceName(cluster), err)
	}
	return nil
}

// configureNode brings up the node's end, inside the node's network namespace.
// There is no default route: nothing in the node can reach beyond the machine.
func configureNode(l layout) error {
	if err := setUp("lo"); err != nil {
		return err
	}
	peer, err := netlink.LinkByName(peerName(deviceName(l.Name)))
	if err != nil {
		return fmt.Errorf("network device of the node: %w", err)
	}
	if err := netlink.LinkSetName(peer, nodeDevice); err != nil {
		return fmt.Errorf("rename network device: %w", err)
	}
	if err := configureDevice(nodeDevice, l.Link.Node); err != nil {
		return err
	}
	// Services are translated on their way out of the node, for which the kernel
	// must first believe that there is a way.
	_, services, err := net.ParseCIDR(serviceCIDR)
	if err != nil {
		return err
	}
	route := &netlink.Route{LinkIndex: peer.Attrs().Index, Dst: services, Scope: netlink.SCOPE_LINK}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("route to services: %w", err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

func configureDevice(name string, ip netip.Addr) error {
	device, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("network device %s: %w", name, err)
	}
	address := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(linkBits, 32)}}
	if err := netlink.AddrAdd(device, address); err != nil {
		return fmt.Errorf("address %s of network device %s: %w", ip, name, err)
	}
	return setUp(name)
}

func setUp(name string) error {
	device, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("network device %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(device); err != nil {
		return fmt.Errorf("bring up network device %s: %w", name, err)
	}
	return nil
}

// networksInUse lists what the machine's addresses and routes cover, but for
// default routes, which cover everything.
func networksInUse() ([]netip.Prefix, error) {
	var used []netip.Prefix
	add := func(n *net.IPNet) {
		if n == nil {
			return
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		ones, _ := n.Mask.Size()
		if ok && ones > 0 {
			used = append(used, netip.PrefixFrom(ip.Unmap(), ones).Masked())
		}
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list the machine's addresses: %w", err)
	}
	for _, a := range addresses {
		add(a.IPNet)
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list the machine's routes: %w", err)
	}
	for _, r := range routes {
		add(r.Dst)
	}
	return used, nil
}
