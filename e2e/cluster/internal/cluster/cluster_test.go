package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func sample(t *testing.T, nodes int) *Cluster {
	t.Helper()
	c := &Cluster{Dir: t.TempDir(), Nodes: nodes, CIDR: "10.130.0.0/16", Bridge: "vouch2", ProxyMode: "nftables", Loopback: "127.9.8.7"}
	if err := c.settle(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAClusterReadAgainIsTheSame(t *testing.T) {
	c := sample(t, 3)
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	again, err := load(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if *again != *c {
		t.Errorf("%+v became %+v", c, again)
	}
	if c.Server != "https://10.130.0.1:6443" {
		t.Errorf("the API server of a cluster with nodes is at %s", c.Server)
	}
}

func TestAControlPlaneAloneStaysOnLoopback(t *testing.T) {
	c := sample(t, 0)
	if c.Server != "https://127.9.8.7:6443" {
		t.Errorf("it listens at %s", c.Server)
	}
	if !slices.Contains(c.apiArgs(&options{}), "--endpoint-reconciler-type=none") {
		t.Error("it would publish an address that nobody reaches")
	}
}

func TestExtraFlagsComeLastSoThatTheyWin(t *testing.T) {
	args := sample(t, 1).apiArgs(&options{apiArgs: []string{"--audit-log-mode=batch"}})
	if args[len(args)-1] != "--audit-log-mode=batch" {
		t.Error(args)
	}
}

func TestRefusesAFolderThatHoldsSomething(t *testing.T) {
	dir := t.TempDir()
	if _, err := emptyDir(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "precious"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := emptyDir(dir); err == nil {
		t.Fatal("`cluster down` would delete it")
	}
}

func TestFindsTheOnlyClusterAndAsksWhenThereAreMore(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv(dirEnv, "")
	if _, err := find(""); err == nil {
		t.Fatal("found a cluster where none is")
	}
	for n := range 2 {
		dir, err := newDir()
		if err != nil {
			t.Fatal(err)
		}
		c := sample(t, 0)
		c.Dir = dir
		if err := c.save(); err != nil {
			t.Fatal(err)
		}
		found, err := find("")
		if n == 0 && (err != nil || found != dir) {
			t.Fatal(found, err)
		}
		if n == 1 && (err == nil || !strings.Contains(err.Error(), dir)) {
			t.Fatal(found, err)
		}
		if found, err := find(dir); err != nil || found != dir {
			t.Fatal(found, err)
		}
	}
}

func TestALockOnAnEndedClusterFails(t *testing.T) {
	c := sample(t, 0)
	if unlock, err := c.lock(); err == nil {
		unlock()
		t.Fatal("locked what is not there")
	}
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	unlock, err := c.lock()
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestEveryTemplateOfANodeIsWritten(t *testing.T) {
	c := sample(t, 1)
	files, err := renderNodeFiles(c.nodeValues(1))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(nodeFiles) {
		t.Fatal(len(files))
	}
	for name, want := range map[string]string{
		"kubelet.yaml":         "cgroupRoot: /vouch2/node1\n",
		"cni/network.conflist": `"subnet": "10.130.101.0/24"`,
		"proxy.yaml":           "clusterCIDR: 10.130.96.0/19\n",
		"containerd.toml":      pauseImage,
	} {
		if !strings.Contains(string(files[name]), want) {
			t.Errorf("%s lacks %q", name, want)
		}
	}
}

func TestAliasesBecomeOnePluginForAddressesAndOneRewriteForEachName(t *testing.T) {
	var aliases []alias
	for _, s := range []string{"aws.example.com=10.1.2.3", "sts.example.com=10.1.2.4", "vouch.example.com=vouch.default.svc.cluster.local"} {
		a, err := parseAlias(s)
		if err != nil {
			t.Fatal(err)
		}
		aliases = append(aliases, a)
	}
	manifest := sample(t, 1).dnsManifest(aliases)
	if strings.Count(manifest, "hosts {") != 1 || !strings.Contains(manifest, "10.1.2.4 sts.example.com\n") {
		t.Error(manifest)
	}
	if !strings.Contains(manifest, "name exact vouch.example.com. vouch.default.svc.cluster.local.\n") {
		t.Error(manifest)
	}
	if strings.Contains(sample(t, 1).dnsManifest(nil), "@") {
		t.Error("a placeholder is left")
	}
	for _, s := range []string{"", "a", "=b", "a=", "a=b }"} {
		if _, err := parseAlias(s); err == nil {
			t.Errorf("took %q", s)
		}
	}
}

func TestReadsWhatTheKernelSaysOfAProcessWithAnyName(t *testing.T) {
	s, err := parseStat("42 (a) Z (b) S 7 42 42 0 -1 4194304 1 2 3 4 150 50 0 0 20 0 9 0 123456 1000 25 18446744073709551615 1")
	if err != nil {
		t.Fatal(err)
	}
	want := stat{state: "S", parent: 7, cpu: 2 * time.Second, startTime: "123456", rss: 25 * os.Getpagesize()}
	if s != want {
		t.Errorf("%+v", s)
	}
	if _, err := parseStat("42 (short) S 1"); err == nil {
		t.Error("took half a line")
	}
}

func TestARecordedProcessIsTheSameOneOnlyWithItsStartTime(t *testing.T) {
	c := sample(t, 0)
	if err := os.Mkdir(c.path("pids"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.record("self", os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if c.pid("self") != os.Getpid() {
		t.Error("does not know itself")
	}
	if err := os.WriteFile(c.path("pids", "self"), []byte("1 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if c.pid("self") != 0 {
		t.Error("took a process for an earlier one of its number")
	}
}

func TestTheMarkMustBeTheWholeVariable(t *testing.T) {
	environment := []byte("PATH=/bin\x00CLUSTER_PROCESS_OF=/x/10\x00")
	if hasVariable(environment, markEnv, "/x/1") || !hasVariable(environment, markEnv, "/x/10") {
		t.Error("would end the processes of another cluster")
	}
}

func TestFindsTheContainerThatRuns(t *testing.T) {
	pod := []byte(`{"spec": {"nodeName": "node2", "containers": [{"name": "issuer"}, {"name": "side"}]},
	  "status": {"podIP": "10.130.102.4", "containerStatuses": [
	    {"name": "side", "containerID": "containerd://bbb", "state": {"waiting": {}}},
	    {"name": "issuer", "containerID": "containerd://aaa", "state": {"running": {}}}]}}`)
	found, node, err := parsePod(pod, "")
	if err != nil || found.id != "aaa" || found.ip != "10.130.102.4" || node != "node2" {
		t.Error(found, node, err)
	}
	for _, name := range []string{"side", "absent"} {
		if _, _, err := parsePod(pod, name); err == nil {
			t.Errorf("found %s", name)
		}
	}
}

func TestTakesOffsetsOnly(t *testing.T) {
	for s, want := range map[string]bool{"+0": true, "-300s": true, "+25h": true, "+1.5d": true, "": false, "5": false, "@2020-01-01": false, "+1; rm": false} {
		if offset.MatchString(s) != want {
			t.Errorf("%q", s)
		}
	}
}

func TestKeepsTheHostsPathsThatANodeWouldHide(t *testing.T) {
	for path, want := range map[string]bool{"/var/lib/ci/clusters/1": true, "/run/user/0": true, "/home/alice/.local": false, "/variable": false, "/tmp": false} {
		if isPrivate(path) != want {
			t.Error(path)
		}
	}
}
