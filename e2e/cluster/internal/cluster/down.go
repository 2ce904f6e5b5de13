package cluster

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"text/tabwriter"
)

func down(args []string) error {
	flags := flag.NewFlagSet("down", flag.ExitOnError)
	dir := flags.String("dir", "", "the cluster's folder (default: $"+dirEnv+", or the only cluster there is)")
	all := flags.Bool("all", false, "end every cluster of this user")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dirs := []string{*dir}
	var err error
	if *all {
		dirs, err = knownDirs()
	} else {
		dirs[0], err = find(*dir)
	}
	errs := []error{err}
	for _, dir := range dirs {
		c, err := load(dir)
		if err == nil {
			err = c.end()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// end leaves nothing of the cluster. It can be called at any moment, also while the cluster is still being started, and
// by several at once. A part that cannot be removed does not keep the others, only the folder that says what is left.
func (c *Cluster) end() error {
	// Otherwise it goes on starting things, and holds the lock.
	if c.pid(upRecord) != os.Getpid() {
		if err := c.kill(upRecord); err != nil {
			return err
		}
	}
	unlock, err := c.lock()
	if err != nil {
		if _, gone := os.Stat(c.path(descriptionFile)); gone != nil {
			return nil
		}
		return err
	}
	defer unlock()

	guard := c.pid(guardRecord)
	var errs []error
	for i := 1; i <= c.Nodes; i++ {
		errs = append(errs, c.kill(nodeName(i)))
	}
	for _, program := range controlPlane {
		errs = append(errs, c.kill(program))
	}
	errs = append(errs, c.killUnrecorded(guard))
	if c.Nodes > 0 {
		errs = append(errs, c.bridgeDown(), removeCgroups(c.Bridge))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := os.RemoveAll(c.Dir); err != nil {
		return err
	}
	// The guard last: until here it would have gone on with what a killed `down` had begun.
	if guard != 0 && guard != os.Getpid() {
		started := startTime(guard)
		return killAndWait(guard, func() bool { return startTime(guard) != started })
	}
	return nil
}

func list(args []string) error {
	if len(args) > 0 {
		return errors.New("list takes no arguments")
	}
	dirs, err := knownDirs()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FOLDER\tNODES\tNETWORK\tBRIDGE\tAPI SERVER\tOWNER")
	for _, dir := range dirs {
		c, err := load(dir)
		if err != nil {
			continue // ended in this moment
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%d\n", c.Dir, c.Nodes, c.CIDR, c.Bridge, c.Server, c.OwnerPID)
	}
	return table.Flush()
}
