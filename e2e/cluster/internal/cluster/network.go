package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vouch.sh/e2e/cluster/internal/addresses"
)

// prefixesInUse are the IPv4 networks that the host has or routes to.
func prefixesInUse() ([]netip.Prefix, error) {
	var used []netip.Prefix
	add := func(n *net.IPNet) {
		if n == nil {
			return
		}
		if p, err := netip.ParsePrefix(n.String()); err == nil {
			used = append(used, p)
		}
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		add(a.IPNet)
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		add(r.Dst)
	}
	return used, nil
}

func linkExists(name string) bool {
	_, err := netlink.LinkByName(name)
	return err == nil
}

func (c *Cluster) bridgeUp() error {
	// Without one of its own a bridge takes the lowest of its ports', and changes it when that node goes: then every
	// other node sends to nobody until it asks again.
	mac := addresses.MAC(c.plan.Host())
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: c.Bridge, HardwareAddr: mac}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add bridge %s: %w", c.Bridge, err)
	}
	address, err := netlink.ParseAddr(c.plan.Host() + "/24")
	if err != nil {
		return err
	}
	return inOrder(
		// Says whose it is: two clusters never end each other's.
		func() error { return netlink.LinkSetAlias(bridge, c.Dir) },
		func() error { return netlink.AddrAdd(bridge, address) },
		func() error { return netlink.LinkSetUp(bridge) },
	)
}

func (c *Cluster) bridgeDown() error {
	bridge, err := netlink.LinkByName(c.Bridge)
	var gone netlink.LinkNotFoundError
	if errors.As(err, &gone) {
		return nil
	}
	if err != nil {
		return err
	}
	if alias := bridge.Attrs().Alias; alias != "" && alias != c.Dir {
		return nil
	}
	for i := 1; i <= c.Nodes; i++ {
		if err := c.unplug(i); err != nil {
			return err
		}
	}
	return netlink.LinkDel(bridge)
}

func (c *Cluster) veth(i int) string { return fmt.Sprintf("%.10sn%d", c.Bridge, i) }

// plug connects a node, whose first process is pid, to the bridge.
func (c *Cluster) plug(i, pid int) error {
	bridge, err := netlink.LinkByName(c.Bridge)
	if err != nil {
		return err
	}
	if err := c.unplug(i); err != nil {
		return err
	}
	pair := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: c.veth(i), MasterIndex: bridge.Attrs().Index},
		PeerName:      "eth0",
		PeerNamespace: netlink.NsPid(pid),
		// The same after a restart, so that the others find it at once.
		PeerHardwareAddr: addresses.MAC(c.plan.Node(i)),
	}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("connect %s: %w", nodeName(i), err)
	}
	return netlink.LinkSetUp(pair)
}

// unplug takes away the link of a node that has ended. The kernel would do so only when the last connection inside has
// given up, which takes minutes when the node was cut off.
func (c *Cluster) unplug(i int) error {
	link, err := netlink.LinkByName(c.veth(i))
	if err != nil {
		return nil
	}
	if err := netlink.LinkDel(link); err != nil && linkExists(c.veth(i)) {
		return fmt.Errorf("disconnect %s: %w", nodeName(i), err)
	}
	return nil
}

// setConnected is the cable of a node: pulled out, it runs on alone.
func (c *Cluster) setConnected(i int, connected bool) error {
	link, err := netlink.LinkByName(c.veth(i))
	if err != nil {
		return fmt.Errorf("%s is not there to be cut or joined: %w", nodeName(i), err)
	}
	if connected {
		err = netlink.LinkSetUp(link)
	} else {
		err = netlink.LinkSetDown(link)
	}
	return errors.Join(err, c.hostRoutes())
}

func (c *Cluster) connected(i int) bool {
	link, err := netlink.LinkByName(c.veth(i))
	return err == nil && link.Attrs().Flags&net.FlagUp != 0 && c.pid(nodeName(i)) != 0
}

// hostRoutes lets the host reach pods on their nodes, and Services through the first node that can be reached.
func (c *Cluster) hostRoutes() error {
	bridge, err := netlink.LinkByName(c.Bridge)
	if err != nil {
		return err
	}
	through := func(network, gateway string) error {
		_, destination, err := net.ParseCIDR(network)
		if err != nil {
			return err
		}
		return netlink.RouteReplace(&netlink.Route{LinkIndex: bridge.Attrs().Index, Dst: destination, Gw: net.ParseIP(gateway)})
	}
	services := false
	for i := 1; i <= c.Nodes; i++ {
		if !c.connected(i) {
			continue
		}
		if err := through(c.plan.NodePods(i), c.plan.Node(i)); err != nil {
			return err
		}
		if !services {
			if err := through(c.plan.Services(), c.plan.Node(i)); err != nil {
				return err
			}
			services = true
		}
	}
	return nil
}

// nodeNetwork runs inside a node and waits for plug.
func (c *Cluster) nodeNetwork(i int) error {
	eth, err := waitLink("eth0", 10*time.Second)
	if err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	address, err := netlink.ParseAddr(c.plan.Node(i) + "/24")
	if err != nil {
		return err
	}
	if err := inOrder(
		func() error { return netlink.LinkSetUp(lo) },
		func() error { return netlink.AddrAdd(eth, address) },
		func() error { return netlink.LinkSetUp(eth) },
		func() error {
			return netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: net.ParseIP(c.plan.Host())})
		},
	); err != nil {
		return err
	}
	for j := 1; j <= addresses.MaxNodes; j++ {
		if j == i {
			continue
		}
		_, pods, err := net.ParseCIDR(c.plan.NodePods(j))
		if err != nil {
			return err
		}
		route := &netlink.Route{LinkIndex: eth.Attrs().Index, Dst: pods, Gw: net.ParseIP(c.plan.Node(j))}
		if err := netlink.RouteAdd(route); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return nil
}

func waitLink(name string, limit time.Duration) (netlink.Link, error) {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		link, err := netlink.LinkByName(name)
		if err == nil {
			return link, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("no link %s in %s: %w", name, limit, err)
		}
	}
}
