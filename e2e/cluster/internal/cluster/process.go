package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// markEnv is in the environment of every process of a cluster and names its folder. It finds those that were started
// in the moment in which their starter was killed, before they could be recorded.
const markEnv = "CLUSTER_PROCESS_OF"

// start runs this binary detached as args[0], which logs to logs/NAME.log, and records it in pids/NAME.
func (c *Cluster) start(name string, attr syscall.SysProcAttr, files []*os.File, args ...string) (pid int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	argv, err := json.Marshal(args)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(c.path("args", name), argv, 0o644); err != nil {
		return 0, err
	}
	log, err := os.OpenFile(c.path("logs", name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	attr.Setsid = true
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles, cmd.Dir = log, log, files, c.Dir
	cmd.Env = append(os.Environ(), markEnv+"="+c.Dir)
	if name == "kube-apiserver" && c.Nodes > 0 {
		attr.Cloneflags |= syscall.CLONE_NEWNS
		cmd.Env = append(cmd.Env, resolverEnv+"="+c.path("resolv.conf"))
	}
	cmd.SysProcAttr = &attr
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", name, err)
	}
	// Reaped as long as this process lives; afterwards it is the init process's to reap.
	go func() { _ = cmd.Wait() }()
	pid = cmd.Process.Pid
	return pid, c.record(name, pid)
}

func (c *Cluster) record(name string, pid int) error {
	return os.WriteFile(c.path("pids", name), fmt.Appendf(nil, "%d %s\n", pid, startTime(pid)), 0o644)
}

// pid is the process recorded under name, or 0 when it no longer runs.
func (c *Cluster) pid(name string) int {
	b, err := os.ReadFile(c.path("pids", name))
	if err != nil {
		return 0
	}
	pidText, started, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	pid, err := strconv.Atoi(pidText)
	if err != nil || pid <= 0 || started == "" || startTime(pid) != started {
		return 0
	}
	return pid
}

// kill ends the process recorded under name, and returns when it has ended.
func (c *Cluster) kill(name string) error {
	if pid := c.pid(name); pid != 0 {
		if err := killAndWait(pid, func() bool { return c.pid(name) == 0 }); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return os.RemoveAll(c.path("pids", name))
}

func killAndWait(pid int, gone func() bool) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	// The last process of a node goes only after all its containers.
	for end := time.Now().Add(30 * time.Second); !gone(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("process %d does not end", pid)
		}
	}
	return nil
}

// killUnrecorded ends the processes that carry the cluster's mark, except this one and the guard.
func (c *Cluster) killUnrecorded(guard int) error {
	var errs []error
	for _, pid := range processes() {
		if pid == os.Getpid() || pid == guard {
			continue
		}
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || !hasVariable(environment, markEnv, c.Dir) {
			continue
		}
		started := startTime(pid)
		if started == "" {
			continue
		}
		errs = append(errs, killAndWait(pid, func() bool { return startTime(pid) != started }))
	}
	return errors.Join(errs...)
}

func hasVariable(environment []byte, name, value string) bool {
	for variable := range strings.SplitSeq(string(environment), "\x00") {
		if variable == name+"="+value {
			return true
		}
	}
	return false
}

func processes() []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// stat is what proc_pid_stat(5) says of a process.
type stat struct {
	state     string
	parent    int
	cpu       time.Duration
	startTime string
	rss       int // bytes
}

// clockTicks per second are 100 on every Linux architecture that Kubernetes runs on.
const clockTicks = 100

func parseStat(text string) (stat, error) {
	// The name may hold spaces and brackets; what follows the last bracket may not.
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 22 {
		return stat{}, errors.New("short stat")
	}
	number := func(field int) int { n, _ := strconv.Atoi(fields[field-3]); return n }
	return stat{
		state:     fields[0],
		parent:    number(4),
		cpu:       time.Duration(number(14)+number(15)) * time.Second / clockTicks,
		startTime: fields[22-3],
		rss:       number(24) * os.Getpagesize(),
	}, nil
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(b))
}

// startTime tells a process from a later one with its number; it is empty for one that has ended. A zombie whose other
// threads still run has not: the first process of a node ends its whole namespace from whichever thread is last.
func startTime(pid int) string {
	s, err := readStat(pid)
	if err != nil {
		return ""
	}
	if s.state == "Z" || s.state == "X" {
		if threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)); len(threads) < 2 {
			return ""
		}
	}
	return s.startTime
}
