package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	initCommand      = "node-init"
	containerdSocket = "/run/containerd/containerd.sock"
)

// nodeInit is the first process of a node: it makes the node's world, starts its programs, and reaps what ends.
func nodeInit(args []string) error {
	if len(args) != 2 {
		return errors.New("node-init is started by up and node")
	}
	c, err := load(args[0])
	if err != nil {
		return err
	}
	i, err := c.node(args[1])
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	name, dir := nodeName(i), c.nodeDir(i)
	if err := inOrder(
		func() error { return unix.Sethostname([]byte(name)) },
		func() error { return nodeRoot(dir, c.Dir, filepath.Dir(self)) },
		setSysctls,
		func() error { return c.nodeNetwork(i) },
		func() error { return makeCgroup(c.cgroup(i)) },
	); err != nil {
		return err
	}
	s := &supervisor{dir: dir, programs: map[int]program{}}
	if err := s.start(program{"containerd", []string{"containerd", "-c", filepath.Join(dir, "containerd.toml")}}); err != nil {
		return err
	}
	if err := waitSocket(containerdSocket, time.Minute); err != nil {
		return err
	}
	archives, err := filepath.Glob(c.path("images", "*.tar"))
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if out, err := exec.Command("ctr", importArgs(archive)...).CombinedOutput(); err != nil {
			return fmt.Errorf("import %s: %w: %s", archive, err, out)
		}
	}
	// Both would otherwise end, or wait for long, when the API server is slower than the node.
	if err := c.waitReady(apiLimit, func() error { return nil }); err != nil {
		return err
	}
	if err := inOrder(
		func() error {
			return s.start(program{"kubelet", []string{self, "kubelet", "--config=" + filepath.Join(dir, "kubelet.yaml"),
				"--kubeconfig=" + c.pki(name+".conf"), "--hostname-override=" + name, "--node-ip=" + c.plan.Node(i),
				"--node-labels=topology.kubernetes.io/zone=zone" + strconv.Itoa(i), "--v=2"}})
		},
		func() error {
			return s.start(program{"kube-proxy", []string{self, "kube-proxy", "--config=" + filepath.Join(dir, "proxy.yaml")}})
		},
	); err != nil {
		return err
	}
	s.reap()
	return nil
}

// setSysctls changes settings that belong to the node's network namespace.
func setSysctls() error {
	for key, value := range map[string]string{"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1"} {
		err := os.WriteFile("/proc/sys/"+key, []byte(value), 0o644)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // a kernel may have no IPv6
			return err
		}
	}
	// Absent when bridges do not filter at all; kube-proxy needs it where they do.
	_ = os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("1"), 0o644)
	return nil
}

func waitSocket(path string, limit time.Duration) error {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		connection, err := net.Dial("unix", path)
		if err == nil {
			return connection.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("containerd not there in %s: %w", limit, err)
		}
	}
}

// supervisor starts a node's programs again when they end, and reaps the orphans of containers.
type supervisor struct {
	dir      string
	mu       sync.Mutex
	programs map[int]program // by process
}

type program struct {
	name string
	argv []string
}

func (s *supervisor) start(p program) error {
	// Held until the process is on record: reap must not see its end before.
	s.mu.Lock()
	defer s.mu.Unlock()
	path, err := exec.LookPath(p.argv[0])
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	process, err := os.StartProcess(path, p.argv, &os.ProcAttr{Dir: "/", Env: os.Environ(), Files: []*os.File{nil, log, log}})
	if err != nil {
		return err
	}
	s.programs[process.Pid] = p
	return nil
}

// reap never returns.
func (s *supervisor) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		s.mu.Lock()
		ended, ok := s.programs[pid]
		delete(s.programs, pid)
		s.mu.Unlock()
		if ok {
			fmt.Printf("%s ended: status %d, signal %d\n", ended.name, status.ExitStatus(), status.Signal())
			time.AfterFunc(time.Second, func() { s.restart(ended) })
		}
	}
}

func (s *supervisor) restart(p program) {
	if err := s.start(p); err != nil {
		fmt.Printf("%s cannot be started again: %v\n", p.name, err)
	}
}
