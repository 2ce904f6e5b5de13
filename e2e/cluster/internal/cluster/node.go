package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"vouch.sh/e2e/cluster/internal/pki"
)

// A node is a process in mount, PID, network, UTS and IPC namespaces of its own that runs containerd, kubelet and
// kube-proxy. Killing that process is a power cut: the kernel ends every container and drops every mount with it. The
// host's own firewall, settings and mounts are never touched, so that nothing of them can be left behind.

func (c *Cluster) nodeDir(i int) string { return c.path("nodes", nodeName(i)) }

// cniPlugins is where Debian or everybody else keeps them.
func cniPlugins() string {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if _, err := os.Stat(filepath.Join(dir, "bridge")); err == nil {
			return dir
		}
	}
	return ""
}

// nodesPossible says what this machine lacks for running nodes.
func (c *Cluster) nodesPossible() error {
	if os.Geteuid() != 0 {
		return errors.New("nodes need root; `cluster up -nodes 0` does not")
	}
	programs := []string{"containerd", "ctr", "containerd-shim-runc-v2", "runc", "nsenter", "iptables", "nft", "conntrack"}
	if c.ProxyMode != "nftables" && c.ProxyMode != "iptables" {
		return fmt.Errorf("-proxy-mode is nftables or iptables, not %q", c.ProxyMode)
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: install what nodes need with `make setup-cluster`", err)
		}
	}
	if cniPlugins() == "" {
		return errors.New("no CNI plugins: install what nodes need with `make setup-cluster`")
	}
	return nil
}

func (c *Cluster) startNode(i int) error {
	name := nodeName(i)
	if err := os.MkdirAll(c.nodeDir(i), 0o755); err != nil {
		return err
	}
	authority, err := pki.Open(c.path("pki"))
	if err != nil {
		return err
	}
	if err := inOrder(
		func() error {
			return authority.Kubeconfig(c.pki(name+".conf"), c.Server, "system:node:"+name, "system:nodes")
		},
		func() error { return authority.Issue(name, name, "", name, c.plan.Node(i)) },
		func() error { return c.writeNodeFiles(i) },
	); err != nil {
		return err
	}
	pid, err := c.start(name, syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}, nil, initCommand, c.Dir, strconv.Itoa(i))
	if err != nil {
		return err
	}
	return inOrder(func() error { return c.plug(i, pid) }, c.hostRoutes)
}

func (c *Cluster) stopNode(i int) error {
	return inOrder(
		func() error { return c.kill(nodeName(i)) },
		// A reboot leaves no cgroups either; stale ones would delay the kubelet by seconds.
		func() error { return removeCgroups(c.cgroup(i)) },
		c.hostRoutes,
	)
}

func nodeCommand(args []string) error {
	c, rest, err := open("node", args)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return errors.New("usage: cluster node stop|start|cut|join NODE")
	}
	i, err := c.node(rest[1])
	if err != nil {
		return err
	}
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	switch rest[0] {
	case "stop":
		return c.stopNode(i)
	case "start":
		if c.pid(nodeName(i)) != 0 {
			return nil
		}
		return c.startNode(i)
	case "cut":
		return c.setConnected(i, false)
	case "join":
		return c.setConnected(i, true)
	}
	return fmt.Errorf("node knows no %q", rest[0])
}

// inNode is a command that runs inside node i.
func (c *Cluster) inNode(i int, args ...string) (*exec.Cmd, error) {
	pid := c.pid(nodeName(i))
	if pid == 0 {
		return nil, fmt.Errorf("%s does not run", nodeName(i))
	}
	return exec.Command("nsenter", append([]string{"-t", strconv.Itoa(pid), "-m", "-p", "-n", "-u", "-i", "--"}, args...)...), nil
}

func (c *Cluster) runInNode(i int, args ...string) error {
	cmd, err := c.inNode(i, args...)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %s: %w: %s", nodeName(i), args[0], err, out)
	}
	return nil
}

func execCommand(args []string) error {
	c, rest, err := open("exec", args)
	if err != nil {
		return err
	}
	if len(rest) < 2 {
		return errors.New("usage: cluster exec NODE PROGRAM [ARGUMENT...]")
	}
	i, err := c.node(rest[0])
	if err != nil {
		return err
	}
	cmd, err := c.inNode(i, rest[1:]...)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
