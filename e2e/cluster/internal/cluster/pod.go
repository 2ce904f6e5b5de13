package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"vouch.sh/e2e/cluster/internal/image"
)

// container is one running container, its pod's address and the node it runs on.
type container struct {
	id, ip string
	node   int
}

// podCommand does to one container what Kubernetes does not offer: kill -9, a stall, another time, no API server.
func podCommand(args []string) error {
	c, rest, err := open("pod", args)
	if err != nil {
		return err
	}
	if len(rest) < 2 || (rest[0] == "clock") != (len(rest) == 3) || len(rest) > 3 {
		return errors.New("usage: cluster pod kill|pause|resume|cut|join NAMESPACE/POD[/CONTAINER], cluster pod clock NAMESPACE/POD[/CONTAINER] OFFSET")
	}
	found, err := c.container(rest[1])
	if err != nil {
		return err
	}
	ctr := func(args ...string) error {
		return c.runInNode(found.node, append([]string{"ctr", "-n", "k8s.io"}, args...)...)
	}
	switch rest[0] {
	case "kill":
		return ctr("tasks", "kill", "--signal", "SIGKILL", found.id)
	case "pause", "resume":
		return ctr("tasks", rest[0], found.id)
	case "cut":
		return c.runInNode(found.node, "nft", c.cutRules(found.ip))
	case "join":
		return c.runInNode(found.node, "nft", "delete table ip "+cutTable(found.ip))
	case "clock":
		return c.setClock(found, rest[2])
	}
	return fmt.Errorf("pod knows no %q", rest[0])
}

// container finds NAMESPACE/POD[/CONTAINER]; without a name, the first container.
func (c *Cluster) container(s string) (container, error) {
	namespace, name, _ := strings.Cut(s, "/")
	pod, wanted, _ := strings.Cut(name, "/")
	if namespace == "" || pod == "" {
		return container{}, fmt.Errorf("%q is not NAMESPACE/POD", s)
	}
	b, err := c.kubectlOutput("", "get", "pod", "--namespace", namespace, pod, "--output", "json")
	if err != nil {
		return container{}, err
	}
	found, node, err := parsePod(b, wanted)
	if err != nil {
		return container{}, fmt.Errorf("%s: %w", s, err)
	}
	found.node, err = c.node(node)
	return found, err
}

func parsePod(object []byte, wanted string) (found container, node string, err error) {
	var pod struct {
		Spec struct {
			NodeName   string
			Containers []struct{ Name string }
		}
		Status struct {
			PodIP             string
			ContainerStatuses []struct {
				Name, ContainerID string
				State             struct{ Running *struct{} }
			}
		}
	}
	if err := json.Unmarshal(object, &pod); err != nil {
		return container{}, "", err
	}
	if wanted == "" && len(pod.Spec.Containers) > 0 {
		wanted = pod.Spec.Containers[0].Name
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name != wanted {
			continue
		}
		_, id, ok := strings.Cut(status.ContainerID, "://")
		if !ok || status.State.Running == nil {
			return container{}, "", fmt.Errorf("the container %s does not run", wanted)
		}
		return container{id: id, ip: pod.Status.PodIP}, pod.Spec.NodeName, nil
	}
	return container{}, "", fmt.Errorf("no container %q", wanted)
}

func cutTable(ip string) string { return "cut-" + strings.ReplaceAll(ip, ".", "-") }

// cutRules lose what a pod and the API server send each other, also on connections that stand. Everything else goes on:
// to the kubelet and to its own clients such a pod looks well.
func (c *Cluster) cutRules(ip string) string {
	table := cutTable(ip)
	return fmt.Sprintf("add table ip %[1]s; add chain ip %[1]s forward { type filter hook forward priority -10; }; "+
		"add rule ip %[1]s forward ip saddr %[2]s ip daddr %[3]s tcp dport %[4]d drop; "+
		"add rule ip %[1]s forward ip daddr %[2]s ip saddr %[3]s tcp sport %[4]d drop", table, ip, c.Host, apiPort)
}

var offset = regexp.MustCompile(`^[+-][0-9]+(\.[0-9]+)?[smhdy]?$`)

// setClock writes past the container's own view of its root, which is read-only as it should be.
func (c *Cluster) setClock(found container, to string) error {
	if !offset.MatchString(to) {
		return fmt.Errorf("%q is no offset such as +0, -300s or +25h", to)
	}
	file := "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" + found.id + "/rootfs" + image.ClockFile
	// Replaced in one step: a program never reads half of it.
	script := `test -e "$1" || { echo "the image was not made with -clock" >&2; exit 1; }
printf '%s\n' "$2" >"$1.draft" && mv "$1.draft" "$1"`
	return c.runInNode(found.node, "sh", "-c", script, "sh", file, to)
}
