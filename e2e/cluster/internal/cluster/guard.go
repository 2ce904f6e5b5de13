package cluster

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	guardCommand = "guard"
	guardRecord  = "guard"
	upRecord     = "up"
	// ownerFD is the first file a process inherits after the standard three.
	ownerFD = 3
)

// openOwner holds on to the process itself: its number could by the time of use belong to another.
func (c *Cluster) openOwner() error {
	if c.OwnerPID == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(c.OwnerPID, 0)
	if err != nil {
		return fmt.Errorf("no process %d to own the cluster: %w", c.OwnerPID, err)
	}
	c.owner = os.NewFile(uintptr(fd), "owner")
	return nil
}

// startGuard starts the process that ends the cluster when its owner ends.
func (c *Cluster) startGuard() error {
	if c.owner == nil {
		return nil
	}
	_, err := c.start(guardRecord, syscall.SysProcAttr{}, []*os.File{c.owner}, guardCommand, c.Dir)
	return err
}

// guard is the process itself. It ends when the cluster does, by whoever's hand.
func guard(args []string) error {
	if len(args) != 1 {
		return errors.New("guard is started by up")
	}
	c, err := load(args[0])
	if err != nil {
		return err
	}
	fds := []unix.PollFd{{Fd: ownerFD, Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("watch process %d: %w", c.OwnerPID, err)
		}
	}
	fmt.Printf("process %d has ended\n", c.OwnerPID)
	return c.end()
}

// endOrphans ends the clusters whose owner and guard were both killed.
func endOrphans() error {
	dirs, err := knownDirs()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		c, err := load(dir)
		if err != nil {
			continue // ended in this moment
		}
		if c.OwnerPID != 0 && c.pid(guardRecord) == 0 && c.pid(upRecord) == 0 {
			fmt.Fprintf(os.Stderr, "ending the cluster in %s, whose owner is gone\n", dir)
			if err := c.end(); err != nil {
				return fmt.Errorf("end the cluster in %s: %w", dir, err)
			}
		}
	}
	return nil
}
