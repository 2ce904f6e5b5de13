// Package cluster starts, breaks and ends clusters. A cluster is a folder: what is needed to find, restart or end any part
// of it is written there before the part is started, so that every command works from any process, at any moment.
package cluster

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"vouch.sh/e2e/cluster/internal/addresses"
)

// dirEnv names the cluster that commands act on, unless -dir does.
const dirEnv = "CLUSTER_DIR"

// Cluster is what cluster.json says. Programs in other languages read that file: its field names are a contract.
type Cluster struct {
	Dir       string `json:"dir"`
	Nodes     int    `json:"nodes"`
	CIDR      string `json:"cidr"`
	Bridge    string `json:"bridge"`
	ProxyMode string `json:"proxyMode"`
	// Host is where the API server listens. Pods reach programs on the machine here.
	Host string `json:"host"`
	// Loopback is a loopback address of this cluster alone, for the rest of the control plane.
	Loopback   string `json:"loopback"`
	Server     string `json:"server"`
	Kubeconfig string `json:"kubeconfig"`
	AuditLog   string `json:"auditLog"`
	// OwnerPID is the process whose end is the end of the cluster; 0 for none.
	OwnerPID int `json:"ownerPid,omitempty"`

	plan  addresses.Plan
	owner *os.File // in `up` only
}

const descriptionFile = "cluster.json"

// Every cluster has addresses of its own, so that ports need not be found, and cannot be lost to somebody faster.
const (
	apiPort        = 6443
	etcdPort       = 2379
	etcdPeerPort   = 2380
	controllerPort = 10257
	schedulerPort  = 10259
)

func (c *Cluster) path(parts ...string) string {
	return filepath.Join(append([]string{c.Dir}, parts...)...)
}

func (c *Cluster) pki(name string) string { return c.path("pki", name) }

// inOrder runs steps until one fails.
func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func nodeName(i int) string { return "node" + strconv.Itoa(i) }

// node reads the number of one of the cluster's nodes.
func (c *Cluster) node(s string) (int, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(s, "node"))
	if err != nil || i < 1 || i > c.Nodes {
		return 0, fmt.Errorf("no node %q: the cluster has %d", s, c.Nodes)
	}
	return i, nil
}

// settle fills in what follows from the chosen network.
func (c *Cluster) settle() (err error) {
	if c.plan, err = addresses.NewPlan(c.CIDR); err != nil {
		return err
	}
	c.Host = c.Loopback
	if c.Nodes > 0 {
		c.Host = c.plan.Host()
	}
	c.Server = fmt.Sprintf("https://%s:%d", c.Host, apiPort)
	c.Kubeconfig = c.path("kubeconfig")
	c.AuditLog = c.path("audit.log")
	return nil
}

func (c *Cluster) save() error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.path(descriptionFile), append(b, '\n'), 0o644)
}

// load reads the cluster in dir.
func load(dir string) (*Cluster, error) {
	b, err := os.ReadFile(filepath.Join(dir, descriptionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no cluster in %s", dir)
	}
	if err != nil {
		return nil, err
	}
	c := &Cluster{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	c.plan, err = addresses.NewPlan(c.CIDR)
	return c, err
}

// open loads the cluster that the arguments or the environment name, and returns the arguments after the flags.
func open(command string, args []string) (*Cluster, []string, error) {
	flags := flag.NewFlagSet(command, flag.ExitOnError)
	dir := flags.String("dir", "", "the cluster's folder (default: $"+dirEnv+", or the only cluster there is)")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	found, err := find(*dir)
	if err != nil {
		return nil, nil, err
	}
	c, err := load(found)
	return c, flags.Args(), err
}

func find(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv(dirEnv)
	}
	if dir != "" {
		return filepath.Abs(dir)
	}
	dirs, err := knownDirs()
	if err != nil {
		return "", err
	}
	switch len(dirs) {
	case 0:
		return "", errors.New("no cluster runs: start one with `cluster up`")
	case 1:
		return dirs[0], nil
	}
	return "", fmt.Errorf("several clusters run: name one with -dir or $%s\n  %s", dirEnv, strings.Join(dirs, "\n  "))
}

// home is where clusters live whose folder nobody chose.
func home() (string, error) {
	if state := os.Getenv("XDG_STATE_HOME"); state != "" {
		return filepath.Join(state, "vouch", "clusters"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(user, ".local", "state", "vouch", "clusters"), nil
}

// knownDirs lists the clusters in home.
func knownDirs() ([]string, error) {
	top, err := home()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(top, "*", descriptionFile))
	var dirs []string
	for _, file := range files {
		dirs = append(dirs, filepath.Dir(file))
	}
	return dirs, err
}

// newDir makes the first folder in home that does not exist yet. Making it is what reserves it.
func newDir() (string, error) {
	top, err := home()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(top, 0o755); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		dir := filepath.Join(top, strconv.Itoa(n))
		if err := os.Mkdir(dir, 0o755); !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
	}
}

// lock waits until no other command changes the cluster, and then for as long as the returned function is not called.
// It fails when the cluster was ended meanwhile. Reading and running things inside needs no lock.
func (c *Cluster) lock() (unlock func(), err error) {
	unlock, err = lockPath(c.path("lock"), os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.path(descriptionFile)); err != nil {
		unlock()
		return nil, fmt.Errorf("no cluster in %s", c.Dir)
	}
	return unlock, nil
}

func lockPath(path string, mode int) (unlock func(), err error) {
	file, err := os.OpenFile(path, mode, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(file.Fd()), unix.LOCK_EX); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}
