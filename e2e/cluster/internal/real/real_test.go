//go:build real

// Package real tries the tool on this machine, as root: `make try-cluster`. VOUCH_CLUSTER is the program.
package real

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"
)

// run runs the tool and returns what it prints; errors come with its complaints.
func run(dir string, args ...string) (string, error) {
	cmd := exec.Command(os.Getenv("VOUCH_CLUSTER"), args...)
	cmd.Env = append(os.Environ(), "CLUSTER_DIR="+dir, "KUBECONFIG=")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("cluster %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out), err
}

func mustRun(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := run(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// owner is a process that owns clusters until it is killed.
func owner(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

// kill is kill -9, and nothing a program could prepare for.
func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func ownerFlag(cmd *exec.Cmd) string { return fmt.Sprintf("-owner-pid=%d", cmd.Process.Pid) }

// ownHome keeps the test's clusters apart from others of this user.
func ownHome(t *testing.T) string {
	t.Helper()
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	return filepath.Join(state, "vouch", "clusters")
}

// traces are what a cluster in home could leave behind on the machine.
func traces(t *testing.T, home string) []string {
	t.Helper()
	var found []string
	add := func(kind, text, mark string) {
		for line := range strings.Lines(text) {
			if strings.Contains(line, mark) {
				found = append(found, kind+": "+strings.TrimSpace(line))
			}
		}
	}
	for _, command := range [][]string{{"ip", "-o", "link"}, {"ip", "route"}, {"nft", "list", "ruleset"}} {
		out, err := exec.Command(command[0], command[1:]...).Output()
		if err != nil {
			t.Fatal(command, err)
		}
		add(command[0], string(out), "")
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	add("mount", string(mounts), "")
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/vouch*")
	more, _ := filepath.Glob("/sys/fs/cgroup/vouch*")
	add("cgroup", strings.Join(append(groups, more...), "\n"), "")
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environments {
		if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), "CLUSTER_PROCESS_OF="+home) {
			found = append(found, "process: "+file)
		}
	}
	folders, _ := filepath.Glob(filepath.Join(home, "*"))
	add("folder", strings.Join(folders, "\n"), "")
	for _, dir := range []string{"/var/lib", "/var/log", "/etc", "/run", "/opt", "/usr/libexec"} {
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			found = append(found, "host: "+filepath.Join(dir, entry.Name()))
		}
	}
	sort.Strings(found)
	return found
}

// nothingLeft waits until the machine is as before.
func nothingLeft(t *testing.T, home string, before []string) {
	t.Helper()
	var left string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		left = difference(before, traces(t, home))
		if left == "" {
			return
		}
	}
	t.Fatalf("left behind (+) or gone (-):\n%s", left)
}

func difference(before, after []string) string {
	count := map[string]int{}
	for _, line := range before {
		count[line]--
	}
	for _, line := range after {
		count[line]++
	}
	var lines []string
	for line, n := range count {
		if n > 0 {
			lines = append(lines, "+ "+line)
		} else if n < 0 {
			lines = append(lines, "- "+line)
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func TestNothingIsLeftWheneverTheOwnerIsKilled(t *testing.T) {
	home := ownHome(t)
	before := traces(t, home)
	for _, delay := range []time.Duration{0, 10, 20, 40, 80, 160, 320, 640, 1300, 3000, 6000} {
		parent := owner(t)
		up := exec.Command(os.Getenv("VOUCH_CLUSTER"), "up", "-nodes=2", ownerFlag(parent))
		if err := up.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(delay * time.Millisecond)
		kill(parent)
		_ = up.Wait() // killed by the guard, or refused for want of an owner
		nothingLeft(t, home, before)
	}
}

func TestNothingIsLeftOfAClusterThatRan(t *testing.T) {
	home := ownHome(t)
	before := traces(t, home)
	parent := owner(t)
	mustRun(t, "", "up", "-nodes=3", ownerFlag(parent))
	mustRun(t, "", "node", "stop", "3")
	mustRun(t, "", "node", "cut", "2")
	mustRun(t, "", "control", "pause", "kube-apiserver")
	kill(parent)
	nothingLeft(t, home, before)
}

func TestTheNextUpEndsAClusterWhoseOwnerAndGuardWereKilled(t *testing.T) {
	home := ownHome(t)
	before := traces(t, home)
	parent := owner(t)
	mustRun(t, "", "up", "-nodes=1", "-dns=false", ownerFlag(parent))
	var guard int
	record, err := os.ReadFile(filepath.Join(home, "1", "pids", "guard"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(record), &guard); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(guard, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	kill(parent)
	mustRun(t, "", "up", "-nodes=0", ownerFlag(owner(t)))
	mustRun(t, "", "down")
	nothingLeft(t, home, before)
}

type description struct{ Dir, CIDR, Bridge, Server string }

func describe(t *testing.T, dir string) (d description) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "cluster.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestClustersStartedAtOnceShareNothing(t *testing.T) {
	home := ownHome(t)
	before := traces(t, home)
	parent := owner(t)
	results := make(chan error)
	for range 2 {
		go func() {
			_, err := run("", "up", "-nodes=1", "-dns=false", ownerFlag(parent))
			results <- err
		}()
	}
	for range 2 {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
	one, two := describe(t, filepath.Join(home, "1")), describe(t, filepath.Join(home, "2"))
	if one.CIDR == two.CIDR || one.Bridge == two.Bridge || one.Server == two.Server {
		t.Fatalf("%+v and %+v", one, two)
	}
	mustRun(t, one.Dir, "down")
	if nodes := mustRun(t, two.Dir, "kubectl", "get", "nodes", "--no-headers"); !strings.Contains(nodes, " Ready ") {
		t.Fatal(nodes)
	}
	kill(parent)
	nothingLeft(t, home, before)
}

func TestALostNodeTakesNoOtherWithIt(t *testing.T) {
	ownHome(t)
	mustRun(t, "", "up", "-nodes=3", "-dns=false", ownerFlag(owner(t)))
	mustRun(t, "", "node", "stop", "3")
	ready := func() string {
		return mustRun(t, "", "kubectl", "get", "nodes", "-o",
			`jsonpath={range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}`)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		now := ready()
		if strings.Contains(now, "node3=Unknown") {
			break
		}
		if !strings.HasPrefix(now, "node1=True node2=True") || time.Now().After(end) {
			t.Fatal(now)
		}
	}
	// One more period in which the others would have been missed.
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if now := ready(); !strings.HasPrefix(now, "node1=True node2=True") {
			t.Fatal(now)
		}
	}
	mustRun(t, "", "down")
}
