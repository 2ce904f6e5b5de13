package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vouch.sh/e2e/cluster/internal/pki"
)

//go:embed manifests/coredns.yaml
var coreDNS string

//go:embed manifests/audit-policy.yaml
var auditPolicy []byte

// controlPlane lists the programs in the order in which they end.
var controlPlane = []string{"kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"}

func (c *Cluster) certificates() error {
	a, err := pki.New(c.path("pki"))
	if err != nil {
		return err
	}
	return errors.Join(
		a.Issue("etcd", "etcd", "", c.Loopback, "localhost"),
		a.Issue("etcd-client", "kube-apiserver", ""),
		a.Issue("apiserver", "kube-apiserver", "", c.Host, "127.0.0.1", "localhost", c.plan.APIService(),
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"),
		a.Issue("kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
		a.Issue("front-proxy", "front-proxy", ""),
		a.Kubeconfig(c.Kubeconfig, c.Server, "admin", "system:masters"),
		a.Kubeconfig(c.pki("controller-manager.conf"), c.Server, "system:kube-controller-manager", ""),
		a.Kubeconfig(c.pki("scheduler.conf"), c.Server, "system:kube-scheduler", ""),
		a.Kubeconfig(c.pki("proxy.conf"), c.Server, "system:kube-proxy", ""),
	)
}

func (c *Cluster) etcdArgs() []string {
	client := fmt.Sprintf("https://%s:%d", c.Loopback, etcdPort)
	peer := fmt.Sprintf("http://%s:%d", c.Loopback, etcdPeerPort)
	return []string{"etcd", "--name=etcd", "--data-dir=" + c.path("etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=etcd=" + peer,
		"--cert-file=" + c.pki("etcd.crt"), "--key-file=" + c.pki("etcd.key"),
		"--trusted-ca-file=" + c.pki("ca.crt"), "--client-cert-auth",
		// Survives the death of the process, which is what tests cause; not that of the machine.
		"--unsafe-no-fsync", "--log-level=warn",
	}
}

func (c *Cluster) apiArgs(o *options) []string {
	args := []string{"kube-apiserver",
		fmt.Sprintf("--etcd-servers=https://%s:%d", c.Loopback, etcdPort), "--etcd-cafile=" + c.pki("ca.crt"),
		"--etcd-certfile=" + c.pki("etcd-client.crt"), "--etcd-keyfile=" + c.pki("etcd-client.key"),
		"--bind-address=" + c.Host, "--advertise-address=" + c.plan.Host(), "--secure-port=" + strconv.Itoa(apiPort),
		"--tls-cert-file=" + c.pki("apiserver.crt"), "--tls-private-key-file=" + c.pki("apiserver.key"),
		"--client-ca-file=" + c.pki("ca.crt"),
		"--kubelet-client-certificate=" + c.pki("kubelet-client.crt"), "--kubelet-client-key=" + c.pki("kubelet-client.key"),
		// Nodes' names do not resolve on the host.
		"--kubelet-certificate-authority=" + c.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + c.pki("ca.crt"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.pki("front-proxy.crt"), "--proxy-client-key-file=" + c.pki("front-proxy.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.pki("sa.pub"), "--service-account-signing-key-file=" + c.pki("sa.key"),
		"--service-cluster-ip-range=" + c.plan.Services(),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true", "--enable-aggregator-routing=true",
		// A dead node's pods are replaced in seconds, not in five minutes.
		"--default-not-ready-toleration-seconds=5", "--default-unreachable-toleration-seconds=5",
		"--profiling=false",
		// Strict: a request fails when it cannot be logged, and is logged before it is answered. What the log
		// does not hold was not done.
		"--audit-policy-file=" + c.path("audit-policy.yaml"), "--audit-log-path=" + c.AuditLog,
		"--audit-log-mode=blocking-strict", "--audit-log-maxsize=0",
	}
	if c.Nodes == 0 {
		args = append(args, "--endpoint-reconciler-type=none")
	}
	if o.authentication != "" {
		args = append(args, "--authentication-config="+o.authentication)
	}
	return append(args, o.apiArgs...)
}

func (c *Cluster) startAPI(o *options) error {
	policy := auditPolicy
	if o.auditPolicy != "" {
		var err error
		if policy, err = os.ReadFile(o.auditPolicy); err != nil {
			return err
		}
	}
	if err := os.WriteFile(c.path("audit-policy.yaml"), policy, 0o644); err != nil {
		return err
	}
	if _, err := c.start("etcd", syscall.SysProcAttr{}, nil, c.etcdArgs()...); err != nil {
		return err
	}
	_, err := c.start("kube-apiserver", syscall.SysProcAttr{}, nil, c.apiArgs(o)...)
	return err
}

func (c *Cluster) startControllers(more []string) error {
	common := func(program, kubeconfig string, port int) []string {
		return []string{program,
			"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
			"--bind-address=" + c.Loopback, "--secure-port=" + strconv.Itoa(port),
			"--leader-elect=false", "--profiling=false",
			// The default of 20 requests a second makes the first pass five seconds slower.
			"--kube-api-qps=500", "--kube-api-burst=1000",
		}
	}
	manager := append(common("kube-controller-manager", c.pki("controller-manager.conf"), controllerPort),
		"--service-account-private-key-file="+c.pki("sa.key"), "--root-ca-file="+c.pki("ca.crt"),
		"--cluster-signing-cert-file="+c.pki("ca.crt"), "--cluster-signing-key-file="+c.pki("ca.key"),
		"--use-service-account-credentials=true",
		"--node-monitor-period=1s", "--node-monitor-grace-period=10s",
	)
	if _, err := c.start("kube-controller-manager", syscall.SysProcAttr{}, nil, append(manager, more...)...); err != nil {
		return err
	}
	_, err := c.start("kube-scheduler", syscall.SysProcAttr{}, nil, common("kube-scheduler", c.pki("scheduler.conf"), schedulerPort)...)
	return err
}

// waitReady polls the API server for as long as alive has no error.
func (c *Cluster) waitReady(limit time.Duration, alive func() error) error {
	root, err := os.ReadFile(c.pki("ca.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	// Not as anybody: a test may forbid anonymous requests.
	admin, err := tls.LoadX509KeyPair(c.pki("client-kubeconfig.crt"), c.pki("client-kubeconfig.key"))
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{admin}},
	}}
	defer client.CloseIdleConnections()
	last := errors.New("not asked")
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := alive(); err != nil {
			return err
		}
		if last = readyz(client, c.Server+"/readyz"); last == nil {
			return nil
		}
	}
	return fmt.Errorf("API server not ready in %s: %w", limit, last)
}

func readyz(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	return errors.Join(fmt.Errorf("%s: %s", response.Status, body), err)
}

func (c *Cluster) dnsManifest(aliases []alias) string {
	return strings.NewReplacer("@DNS_IP@", c.plan.DNS(), "@ALIASES@\n", corefile(aliases)).Replace(coreDNS)
}

// kubectl runs the linked-in kubectl as the cluster's administrator.
func (c *Cluster) kubectl(stdin string, args ...string) error {
	_, err := c.kubectlOutput(stdin, args...)
	return err
}

func (c *Cluster) kubectlOutput(stdin string, args ...string) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), self, append([]string{"kubectl", "--kubeconfig", c.Kubeconfig}, args...)...)
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &complaints
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, complaints.String())
	}
	return out.Bytes(), nil
}

// freeLoopback finds an address in 127.0.0.0/8 that no other cluster is likely to find.
func freeLoopback() (string, error) {
	for range 20 {
		address := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
		listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(etcdPort)))
		if err == nil {
			return address, listener.Close()
		}
	}
	return "", errors.New("no loopback address but 127.0.0.1 can be used")
}

const resolverEnv = "CLUSTER_RESOLV_CONF"

// PrepareComponent is called before a linked-in program takes over the process.
func PrepareComponent(name string) error {
	if name == "kubectl" {
		return useKubeconfig()
	}
	resolver := os.Getenv(resolverEnv)
	if resolver == "" {
		return nil
	}
	// In the mount namespace of the API server, which runs on the host: with this it resolves the cluster's names, and
	// an OIDC issuer can be a Service.
	return inOrder(
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount(resolver, "/etc/resolv.conf", "", unix.MS_BIND, "") },
	)
}

// useKubeconfig points kubectl at the cluster that the other commands act on. What the caller says goes before it.
func useKubeconfig() error {
	if os.Getenv("KUBECONFIG") != "" && os.Getenv(dirEnv) == "" {
		return nil
	}
	// Without a cluster kubectl has its own words for it.
	if dir, err := find(""); err == nil {
		return os.Setenv("KUBECONFIG", filepath.Join(dir, "kubeconfig"))
	}
	return nil
}

// controlCommand breaks and mends one program: stop is kill -9, pause is SIGSTOP.
func controlCommand(args []string) error {
	c, rest, err := open("control", args)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return errors.New("usage: cluster control stop|start|pause|resume PROGRAM")
	}
	action, name := rest[0], rest[1]
	argv, err := c.argsOf(name)
	if err != nil {
		return err
	}
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	pid := c.pid(name)
	if action == "start" {
		if pid == 0 {
			_, err = c.start(name, syscall.SysProcAttr{}, nil, argv...)
		}
		return err
	}
	if action == "stop" {
		return c.kill(name)
	}
	signal, ok := map[string]syscall.Signal{"pause": syscall.SIGSTOP, "resume": syscall.SIGCONT}[action]
	if !ok {
		return fmt.Errorf("control knows no %q", action)
	}
	if pid == 0 {
		return fmt.Errorf("%s does not run", name)
	}
	return syscall.Kill(pid, signal)
}

// argsOf is the command line with which a program was started.
func (c *Cluster) argsOf(name string) ([]string, error) {
	if !slices.Contains(controlPlane, name) {
		return nil, fmt.Errorf("no program %q in the control plane: it has %s", name, strings.Join(controlPlane, ", "))
	}
	b, err := os.ReadFile(c.path("args", name))
	if err != nil {
		return nil, err
	}
	var argv []string
	err = json.Unmarshal(b, &argv)
	return argv, err
}
