package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// privateDirs are a node's own; the rest of the host is seen as it is.
var privateDirs = []string{"proc", "run", "var"}

// stateDirs map where Kubernetes keeps things to the folder of the node in which they are kept.
var stateDirs = map[string]string{
	"/var/lib/kubelet":    "kubelet",
	"/var/lib/containerd": "containerd",
	"/var/lib/cni":        "cni-state",
	"/var/log/pods":       "pods",
	"/var/log/containers": "containers",
}

// hostSettings are kernel settings of the whole machine that the kubelet would change. A node shows it the values that it
// wants, in place of the real files.
var hostSettings = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// nodeRoot gives the calling process, in a mount namespace of its own, a root in which the node's programs find the host's
// programs and write nowhere but to dir. The paths in keep stay visible wherever they are.
func nodeRoot(dir string, keep ...string) error {
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	steps := []func() error{
		func() error { return mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE) },
		func() error { return mount("tmpfs", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV) },
		func() error { return showHost(root) },
		func() error { return mount("proc", root+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC) },
		func() error { return os.Symlink("/run", root+"/var/run") },
		func() error { return os.MkdirAll(root+"/var/tmp", 0o1777) },
	}
	for target, source := range stateDirs {
		steps = append(steps, func() error { return bindDir(filepath.Join(dir, source), root+target) })
	}
	for _, path := range keep {
		if isPrivate(path) {
			steps = append(steps, func() error { return bindDir(path, root+path) })
		}
	}
	for key, value := range hostSettings {
		steps = append(steps, func() error { return pretend(dir, root, key, value) })
	}
	return inOrder(append(steps,
		// Volumes that the kubelet mounts must reach containers that run already.
		func() error { return mount("", root+"/var/lib/kubelet", "", unix.MS_SHARED) },
		func() error { return os.Chdir(root) },
		// Stacks the old root on the new one, from where it is taken away (pivot_root(2), NOTES).
		func() error { return unix.PivotRoot(".", ".") },
		func() error { return unix.Unmount(".", unix.MNT_DETACH) },
		func() error { return os.Chdir("/") },
	)...)
}

func showHost(root string) error {
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path, target := "/"+entry.Name(), filepath.Join(root, entry.Name())
		switch {
		case entry.Type()&fs.ModeSymlink != 0:
			var destination string
			if destination, err = os.Readlink(path); err == nil {
				err = os.Symlink(destination, target)
			}
		case !entry.IsDir():
			continue
		case isPrivate(path):
			err = os.Mkdir(target, 0o755)
		default:
			err = bindDir(path, target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func isPrivate(path string) bool {
	for _, name := range privateDirs {
		if path == "/"+name || strings.HasPrefix(path, "/"+name+"/") {
			return true
		}
	}
	return false
}

func bindDir(source, target string) error {
	return inOrder(
		func() error { return os.MkdirAll(source, 0o755) },
		func() error { return os.MkdirAll(target, 0o755) },
		func() error { return mount(source, target, "", unix.MS_BIND|unix.MS_REC) },
	)
}

// pretend shows a value in place of a kernel setting, if the kernel has it.
func pretend(dir, root, key, value string) error {
	setting := filepath.Join(root, "proc/sys", key)
	if _, err := os.Stat(setting); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	file := filepath.Join(dir, "settings", strings.ReplaceAll(key, "/", "."))
	return inOrder(
		func() error { return os.MkdirAll(filepath.Dir(file), 0o755) },
		func() error { return os.WriteFile(file, []byte(value+"\n"), 0o644) },
		func() error { return mount(file, setting, "", unix.MS_BIND) },
	)
}

func mount(source, target, kind string, flags uintptr) error {
	if err := unix.Mount(source, target, kind, flags, ""); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}
