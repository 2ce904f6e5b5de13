package cluster

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vouch.sh/e2e/cluster/internal/addresses"
)

// The bounds are for a machine that compiles at the same time; a free one needs a tenth.
const (
	apiLimit   = 2 * time.Minute
	nodesLimit = 2 * time.Minute
)

type options struct {
	authentication string
	auditPolicy    string
	dns            bool
	aliases        []alias
	images         []string
	apiArgs        []string
	controllerArgs []string
}

// texts collects the values of a flag that may be given more than once.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, ",") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }

func parseUp(args []string) (*Cluster, *options, error) {
	c, o := &Cluster{}, &options{}
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	flags.StringVar(&c.Dir, "dir", os.Getenv(dirEnv), "the cluster's folder; chosen when empty")
	flags.IntVar(&c.Nodes, "nodes", 1, "number of nodes; 0 is a control plane only and needs neither root nor packages")
	flags.IntVar(&c.OwnerPID, "owner-pid", 0, "end the cluster when this process ends, however it ends")
	flags.StringVar(&c.CIDR, "cidr", "", "addresses of the cluster, a /16; a free one when empty")
	flags.StringVar(&c.Bridge, "bridge", "", "bridge to create on the host; a free name when empty")
	flags.StringVar(&c.ProxyMode, "proxy-mode", "nftables", "how kube-proxy works: nftables or iptables")
	flags.StringVar(&o.authentication, "authentication-config", "", "AuthenticationConfiguration file of the API server")
	flags.StringVar(&o.auditPolicy, "audit-policy", "", "audit Policy file; by default every write and every read by other than Kubernetes itself")
	flags.BoolVar(&o.dns, "dns", true, "run CoreDNS on every node")
	flags.Func("resolve", "NAME=TARGET: what a name is in the cluster, an address or another name; may be repeated", func(s string) error {
		a, err := parseAlias(s)
		o.aliases = append(o.aliases, a)
		return err
	})
	flags.Var((*texts)(&o.images), "image", "image archive to import on every node; may be repeated")
	flags.Var((*texts)(&o.apiArgs), "apiserver-arg", "one more flag of kube-apiserver; may be repeated")
	flags.Var((*texts)(&o.controllerArgs), "controller-arg", "one more flag of kube-controller-manager; may be repeated")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	if flags.NArg() > 0 {
		return nil, nil, fmt.Errorf("up takes no %q", flags.Arg(0))
	}
	if c.Nodes < 0 || c.Nodes > addresses.MaxNodes {
		return nil, nil, fmt.Errorf("-nodes must be 0 to %d", addresses.MaxNodes)
	}
	if (c.CIDR == "") != (c.Bridge == "") {
		return nil, nil, errors.New("-cidr and -bridge go together: give both or neither")
	}
	for _, file := range []*string{&o.authentication, &o.auditPolicy} {
		if *file == "" {
			continue
		}
		absolute, err := filepath.Abs(*file)
		if err != nil {
			return nil, nil, err
		}
		*file = absolute
	}
	return c, o, nil
}

func up(args []string) error {
	began := time.Now()
	step := func(format string, a ...any) {
		fmt.Fprintf(os.Stderr, "%7.2fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, a...))
	}
	c, o, err := parseUp(args)
	if err != nil {
		return err
	}
	if c.Nodes > 0 {
		if err := c.nodesPossible(); err != nil {
			return err
		}
	}
	// Before anything is made: from here on the guard will see the owner end.
	if err := inOrder(c.openOwner, endOrphans); err != nil {
		return err
	}
	unlock, err := c.create()
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.bringUp(o, step); err != nil {
		return fmt.Errorf("%w\nlogs are in %s; then: cluster down -dir %s", err, c.path("logs"), c.Dir)
	}
	fmt.Printf("export CLUSTER_DIR=%s\nexport KUBECONFIG=%s\n", c.Dir, c.Kubeconfig)
	return nil
}

// create makes the folder and reserves the network. What is taken is on record first, and the guard watches before it is.
func (c *Cluster) create() (unlock func(), err error) {
	if c.Dir == "" {
		c.Dir, err = newDir()
	} else {
		c.Dir, err = emptyDir(c.Dir)
	}
	if err != nil {
		return nil, err
	}
	unlock, err = lockPath(c.path("lock"), os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := inOrder(c.makeDirs, c.takeLoopback, c.reserve); err != nil {
		unlock()
		return nil, errors.Join(err, c.end(), os.RemoveAll(c.Dir))
	}
	return unlock, nil
}

func (c *Cluster) makeDirs() error {
	for name, mode := range map[string]fs.FileMode{
		"pki": 0o700, "etcd": 0o700, "logs": 0o755, "pids": 0o755, "args": 0o755, "images": 0o755, "nodes": 0o755,
	} {
		if err := os.Mkdir(c.path(name), mode); err != nil {
			return err
		}
	}
	return c.record(upRecord, os.Getpid())
}

func (c *Cluster) takeLoopback() (err error) {
	c.Loopback, err = freeLoopback()
	return err
}

// emptyDir makes a folder somebody chose. One that holds anything is refused, because `down` will delete all of it.
func emptyDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("%s is not empty; if it holds a cluster, `cluster down -dir %s` ends it", dir, dir)
	}
	return dir, nil
}

func (c *Cluster) reserve() error {
	if c.Nodes == 0 {
		c.CIDR, c.Bridge = "10.128.0.0/16", "" // of no meaning outside the API server
		return inOrder(c.settle, c.save, c.startGuard)
	}
	// Two clusters must not choose at once. A lock on the folder itself leaves nothing behind.
	unlock, err := lockPath("/run", os.O_RDONLY)
	if err != nil {
		return err
	}
	defer unlock()
	if c.CIDR == "" {
		inUse, err := prefixesInUse()
		if err != nil {
			return err
		}
		number, cidr, err := addresses.FirstFree(inUse, func(n int) bool { return linkExists(bridgeName(n)) })
		if err != nil {
			return err
		}
		c.CIDR, c.Bridge = cidr, bridgeName(number)
	}
	if linkExists(c.Bridge) {
		return fmt.Errorf("the link %s exists already", c.Bridge)
	}
	return inOrder(c.settle, c.save, c.startGuard, c.bridgeUp)
}

func bridgeName(number int) string { return fmt.Sprintf("vouch%d", number) }

func (c *Cluster) bringUp(o *options, step func(string, ...any)) error {
	if c.Nodes > 0 {
		resolver := "nameserver " + c.plan.DNS() + "\noptions timeout:2 attempts:2\n"
		if err := os.WriteFile(c.path("resolv.conf"), []byte(resolver), 0o644); err != nil {
			return err
		}
		step("%s, bridge %s", c.CIDR, c.Bridge)
	}
	if err := c.certificates(); err != nil {
		return err
	}
	if err := c.startAPI(o); err != nil {
		return err
	}
	step("certificates; etcd and kube-apiserver started")
	if c.Nodes > 0 {
		if err := c.stageImages(o); err != nil {
			return err
		}
		for i := 1; i <= c.Nodes; i++ {
			if err := c.startNode(i); err != nil {
				return err
			}
		}
		step("nodes started")
	}
	alive := func() error {
		for _, name := range []string{"etcd", "kube-apiserver"} {
			if c.pid(name) == 0 {
				return fmt.Errorf("%s ended:\n%s", name, lastLines(c.path("logs", name+".log"), 12))
			}
		}
		return nil
	}
	if err := c.waitReady(apiLimit, alive); err != nil {
		return err
	}
	step("API server ready")
	// Only now: both end, or wait for long, when their roles do not exist yet.
	if err := c.startControllers(o.controllerArgs); err != nil {
		return err
	}
	if c.Nodes == 0 {
		return nil
	}
	if o.dns {
		if err := c.kubectl(c.dnsManifest(o.aliases), "apply", "-f", "-"); err != nil {
			return err
		}
	}
	if err := c.waitNodes(); err != nil {
		return err
	}
	step("nodes ready")
	if o.dns {
		if err := c.kubectl("", "rollout", "status", "daemonset/coredns", "-n", "kube-system", "--timeout="+nodesLimit.String()); err != nil {
			return err
		}
		step("DNS ready")
	}
	return nil
}

// waitNodes asks again and again, because a node cannot be waited for before it has registered.
func (c *Cluster) waitNodes() error {
	args := []string{"wait", "--for=condition=Ready", "--timeout=5s"}
	for i := 1; i <= c.Nodes; i++ {
		args = append(args, "node/"+nodeName(i))
	}
	for end := time.Now().Add(nodesLimit); ; time.Sleep(100 * time.Millisecond) {
		err := c.kubectl("", args...)
		if err == nil {
			return nil
		}
		for i := 1; i <= c.Nodes; i++ {
			if c.pid(nodeName(i)) == 0 {
				return fmt.Errorf("%s ended:\n%s", nodeName(i), lastLines(c.path("logs", nodeName(i)+".log"), 12))
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("nodes not ready in %s: %w", nodesLimit, err)
		}
	}
}

func lastLines(file string, n int) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// alias is a name that CoreDNS answers besides those of the cluster.
type alias struct{ name, target string }

func parseAlias(s string) (alias, error) {
	name, target, ok := strings.Cut(s, "=")
	if !ok || name == "" || target == "" || strings.ContainsAny(s, " \t\n{}") {
		return alias{}, fmt.Errorf("%q is not NAME=TARGET", s)
	}
	return alias{name, target}, nil
}

// corefile is what makes CoreDNS answer for the aliases: the plugin for addresses may appear once only.
func corefile(aliases []alias) string {
	var hosts, rewrites strings.Builder
	for _, a := range aliases {
		if _, err := netip.ParseAddr(a.target); err == nil {
			fmt.Fprintf(&hosts, "            %s %s\n", a.target, a.name)
		} else {
			fmt.Fprintf(&rewrites, "        rewrite stop {\n            name exact %s. %s.\n            answer auto\n        }\n",
				strings.TrimSuffix(a.name, "."), strings.TrimSuffix(a.target, "."))
		}
	}
	if hosts.Len() > 0 {
		return fmt.Sprintf("%s        hosts {\n%s            fallthrough\n        }\n", rewrites.String(), hosts.String())
	}
	return rewrites.String()
}
