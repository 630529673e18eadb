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
// addresses that nothing else on the machine uses. The node's end is created in
// the network namespace of the process: with that, both ends vanish.
func createLink(cluster string, pid int) (link, error) {
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
	attrs := netlink.NewLinkAttrs()
	attrs.Name = deviceName(cluster)
	err = netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: nodeDevice, PeerNamespace: netlink.NsPid(pid)})
	if err != nil {
		return link{}, fmt.Errorf("create network device %s: %w", attrs.Name, err)
	}
	return chosen, configureDevice(attrs.Name, chosen.Host)
}

// removeLink deletes the device if it is there. The kernel does that by itself
// when the node is gone, but takes its time.
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
	if err := configureDevice(nodeDevice, l.Link.Node); err != nil {
		return err
	}
	// Services are translated on their way out of the node, for which the kernel
	// must first believe that there is a way.
	_, services, err := net.ParseCIDR(serviceCIDR)
	if err != nil {
		return err
	}
	device, err := netlink.LinkByName(nodeDevice)
	if err != nil {
		return fmt.Errorf("network device %s: %w", nodeDevice, err)
	}
	route := &netlink.Route{LinkIndex: device.Attrs().Index, Dst: services, Scope: netlink.SCOPE_LINK}
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
