package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
)

type row struct {
	part, name string
	rss        int
	cpu        time.Duration
}

// status prints every process of the cluster under the part it belongs to.
func status(args []string) error {
	c, rest, err := open("status", args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return errors.New("status takes no arguments")
	}
	parts := map[int]string{}
	recorded, err := os.ReadDir(c.path("pids"))
	if err != nil {
		return err
	}
	for _, entry := range recorded {
		if pid := c.pid(entry.Name()); pid != 0 {
			parts[pid] = entry.Name()
		}
	}
	stats := map[int]stat{}
	for _, pid := range processes() {
		if s, err := readStat(pid); err == nil {
			stats[pid] = s
		}
	}
	var rows []row
	total := 0
	for pid, s := range stats {
		if part := partOf(pid, stats, parts); part != "" {
			rows = append(rows, row{part, processName(pid), s.rss, s.cpu})
			total += s.rss
		}
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].part+rows[i].name < rows[j].part+rows[j].name })
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PART\tPROCESS\tRSS\tCPU")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%d MiB\t%s\n", r.part, r.name, r.rss>>20, r.cpu)
	}
	fmt.Fprintf(table, "\ttotal\t%d MiB\t\n", total>>20)
	return table.Flush()
}

// partOf climbs from a process to the recorded one that it comes from.
func partOf(pid int, stats map[int]stat, parts map[int]string) string {
	for range len(stats) {
		if part, ok := parts[pid]; ok {
			return part
		}
		if pid = stats[pid].parent; pid <= 1 {
			break
		}
	}
	return ""
}

func processName(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	words := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
	name := filepath.Base(words[0])
	if name == "cluster" && len(words) > 1 {
		name = words[1]
	}
	return name
}
