package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"vouch.sh/e2e/cluster/internal/image"
)

// container is one running container and the node it runs on.
type container struct {
	id   string
	node int
}

// podCommand does to one container what Kubernetes does not offer: kill -9, a stall, another time.
func podCommand(args []string) error {
	c, rest, err := open("pod", args)
	if err != nil {
		return err
	}
	if len(rest) < 2 || (rest[0] == "clock") != (len(rest) == 3) || len(rest) > 3 {
		return errors.New("usage: cluster pod kill|pause|resume NAMESPACE/POD[/CONTAINER], cluster pod clock NAMESPACE/POD[/CONTAINER] OFFSET")
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
	id, node, err := parsePod(b, wanted)
	if err != nil {
		return container{}, fmt.Errorf("%s: %w", s, err)
	}
	i, err := c.node(node)
	return container{id, i}, err
}

func parsePod(object []byte, wanted string) (id, node string, err error) {
	var pod struct {
		Spec struct {
			NodeName   string
			Containers []struct{ Name string }
		}
		Status struct {
			ContainerStatuses []struct {
				Name, ContainerID string
				State             struct{ Running *struct{} }
			}
		}
	}
	if err := json.Unmarshal(object, &pod); err != nil {
		return "", "", err
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
			return "", "", fmt.Errorf("the container %s does not run", wanted)
		}
		return id, pod.Spec.NodeName, nil
	}
	return "", "", fmt.Errorf("no container %q", wanted)
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
