// Command cluster runs a real Kubernetes on one machine: etcd, the control plane and any number of nodes, each node in
// namespaces of its own. All of Kubernetes is linked in, so that a test needs neither a registry nor a download.
package main

import (
	"fmt"
	"os"

	"vouch.sh/e2e/cluster/internal/cluster"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, cluster.Usage)
		os.Exit(2)
	}
	name, args := os.Args[1], os.Args[2:]
	if component, ok := components[name]; ok {
		if err := cluster.PrepareComponent(name); err != nil {
			fail(err)
		}
		os.Args = append([]string{name}, args...)
		component()
		return
	}
	command, ok := cluster.Commands[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "cluster: no command %q\n\n%s\n", name, cluster.Usage)
		os.Exit(2)
	}
	if err := command(args); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "cluster:", err)
	os.Exit(1)
}
