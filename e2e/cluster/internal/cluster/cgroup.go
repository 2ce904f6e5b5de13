package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const cgroupFS = "/sys/fs/cgroup"

// cgroup is the root of what node i runs, in every hierarchy.
func (c *Cluster) cgroup(i int) string { return c.Bridge + "/" + nodeName(i) }

func cgroupV2() bool {
	_, err := os.Stat(cgroupFS + "/cgroup.controllers")
	return err == nil
}

// hierarchies are the roots of all cgroup trees: one with version 2, one per controller with version 1.
func hierarchies() ([]string, error) {
	if cgroupV2() {
		return []string{cgroupFS}, nil
	}
	return filepath.Glob(cgroupFS + "/*")
}

// makeCgroup makes the kubelet's root, ready to have limits below it.
func makeCgroup(name string) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		parent := root
		for part := range strings.SplitSeq(name, "/") {
			dir := filepath.Join(parent, part)
			if cgroupV2() {
				if err := delegate(parent); err != nil {
					return err
				}
			}
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			if err := inheritCPUs(parent, dir); err != nil {
				return err
			}
			parent = dir
		}
	}
	if cgroupV2() {
		return delegate(filepath.Join(cgroupFS, name))
	}
	return nil
}

// delegate lets the children of a version 2 group have every controller that it has.
func delegate(dir string) error {
	controllers, err := os.ReadFile(dir + "/cgroup.controllers")
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(controllers)) {
		// A controller that cannot be had here is the kubelet's to complain about, if it needs it.
		_ = os.WriteFile(dir+"/cgroup.subtree_control", []byte("+"+controller), 0o644)
	}
	return nil
}

// inheritCPUs makes a version 1 cpuset usable: a new one is empty, and takes no process.
func inheritCPUs(parent, child string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		// With version 2 the file is empty unless something was set, and need not be.
		if strings.TrimSpace(string(value)) == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(child, file), value, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroups removes a tree from every hierarchy, waiting a little for its last processes to go.
func removeCgroups(name string) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var errs []error
		for _, root := range roots {
			errs = append(errs, removeTree(filepath.Join(root, name)))
		}
		if err := errors.Join(errs...); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// removeTree removes folders only: the files in a cgroup go with it.
func removeTree(top string) error {
	var dirs []string
	// Groups vanish while they are walked; what is left is found by the next try.
	_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	var errs []error
	for _, dir := range slices.Backward(dirs) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
