package addresses

import (
	"net/netip"
	"testing"
)

func none(int) bool { return false }

func TestPartsOfThePlanNeverOverlap(t *testing.T) {
	plan, err := NewPlan("10.128.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	networks := []string{plan.Link(), plan.Services(), plan.Pods()}
	for i, a := range networks {
		for _, b := range networks[i+1:] {
			if netip.MustParsePrefix(a).Overlaps(netip.MustParsePrefix(b)) {
				t.Errorf("%s overlaps %s", a, b)
			}
		}
	}
	seen := map[string]bool{plan.Host(): true}
	for i := 1; i <= MaxNodes; i++ {
		if seen[plan.Node(i)] {
			t.Errorf("node %d has an address of another", i)
		}
		seen[plan.Node(i)] = true
		if !netip.MustParsePrefix(plan.Link()).Contains(netip.MustParseAddr(plan.Node(i))) {
			t.Errorf("node %d is not on the link", i)
		}
		if !netip.MustParsePrefix(plan.Pods()).Overlaps(netip.MustParsePrefix(plan.NodePods(i))) {
			t.Errorf("the pods of node %d are outside the pods' network", i)
		}
	}
	for _, service := range []string{plan.DNS(), plan.APIService()} {
		if !netip.MustParsePrefix(plan.Services()).Contains(netip.MustParseAddr(service)) {
			t.Errorf("%s is no Service address", service)
		}
	}
}

func TestRefusesWhatIsNoSlash16(t *testing.T) {
	for _, cidr := range []string{"", "10.0.0.0", "10.0.0.0/8", "10.0.1.0/16", "fd00::/16"} {
		if _, err := NewPlan(cidr); err == nil {
			t.Errorf("took %q", cidr)
		}
	}
}

func TestTakesTheFirstNetworkThatNobodyUses(t *testing.T) {
	inUse := []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/0"),
		netip.MustParsePrefix("10.128.3.0/24"),
		netip.MustParsePrefix("fd00::/64"),
	}
	number, cidr, err := FirstFree(inUse, func(n int) bool { return n == 1 })
	if err != nil || number != 2 || cidr != "10.130.0.0/16" {
		t.Fatal(number, cidr, err)
	}
}

func TestSaysWhenNothingIsFree(t *testing.T) {
	if _, _, err := FirstFree([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, none); err == nil {
		t.Fatal("found room in a full network")
	}
}
