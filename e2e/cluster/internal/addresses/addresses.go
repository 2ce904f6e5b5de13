// Package addresses decides which addresses a cluster uses. It holds no state and asks the machine for nothing.
package addresses

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// MaxNodes is how many nodes the plan has room for.
const MaxNodes = 16

// Plan divides a /16, written a.b below:
//
//	a.b.0.1       the host: API server, etcd     a.b.0.(10+i)      node i
//	a.b.64.0/20   Services                       a.b.(100+i).0/24  Pods of node i
type Plan struct {
	prefix netip.Prefix
}

// NewPlan takes a prefix such as 10.128.0.0/16.
func NewPlan(cidr string) (Plan, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return Plan{}, err
	}
	if !prefix.Addr().Is4() || prefix.Bits() != 16 || prefix != prefix.Masked() {
		return Plan{}, fmt.Errorf("%s is not an IPv4 /16", cidr)
	}
	return Plan{prefix}, nil
}

// Host is the machine's own address on the cluster's bridge.
func (p Plan) Host() string { return p.at(0, 1) }

// Node is the address of node i, from 1 to MaxNodes.
func (p Plan) Node(i int) string { return p.at(0, 10+i) }

// Link is the network between the host and the nodes.
func (p Plan) Link() string { return p.at(0, 0) + "/24" }

// NodePods is the network of node i's pods.
func (p Plan) NodePods(i int) string { return p.at(100+i, 0) + "/24" }

// Pods covers the pods of every node.
func (p Plan) Pods() string { return p.at(96, 0) + "/19" }

// Services is the network of cluster IPs.
func (p Plan) Services() string { return p.at(64, 0) + "/20" }

// APIService is the cluster IP of the Service "kubernetes".
func (p Plan) APIService() string { return p.at(64, 1) }

// DNS is the cluster IP of the name server.
func (p Plan) DNS() string { return p.at(64, 10) }

// MAC is the hardware address for an IPv4 address: locally administered, and the same every time.
func MAC(ip string) net.HardwareAddr {
	b := netip.MustParseAddr(ip).As4()
	return net.HardwareAddr{0x02, 0x00, b[0], b[1], b[2], b[3]}
}

func (p Plan) at(third, fourth int) string {
	b := p.prefix.Addr().As4()
	return netip.AddrFrom4([4]byte{b[0], b[1], byte(third), byte(fourth)}).String()
}

// candidates is how many networks a cluster may take, from 10.128.0.0/16. Container engines put theirs elsewhere.
const candidates = 64

// FirstFree is the first candidate that overlaps nothing in use, with its number.
func FirstFree(inUse []netip.Prefix, taken func(number int) bool) (number int, cidr string, err error) {
	for n := range candidates {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(128 + n), 0, 0}), 16)
		if !taken(n) && !overlapsAny(prefix, inUse) {
			return n, prefix.String(), nil
		}
	}
	return 0, "", errors.New("no /16 from 10.128.0.0 to 10.191.0.0 is free: end clusters with `cluster down`, or name one with -cidr and -bridge")
}

func overlapsAny(prefix netip.Prefix, others []netip.Prefix) bool {
	for _, other := range others {
		// A default route overlaps everything and occupies nothing.
		if other.Bits() > 0 && prefix.Overlaps(other) {
			return true
		}
	}
	return false
}
