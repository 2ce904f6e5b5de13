package cluster

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed templates
var templates embed.FS

// nodeFiles maps a template to where a node keeps it.
var nodeFiles = map[string]string{
	"containerd.toml":  "containerd.toml",
	"network.conflist": "cni/network.conflist",
	"kubelet.yaml":     "kubelet.yaml",
	"proxy.yaml":       "proxy.yaml",
	"resolv.conf":      "resolv.conf",
}

// nodeValues are what the templates may name.
type nodeValues struct {
	Name, Dir, PKI, Cgroup, PauseImage, CNIPlugins, ProxyMode string
	Pods, ClusterPods, DNS                                    string
}

func (c *Cluster) nodeValues(i int) nodeValues {
	return nodeValues{
		Name: nodeName(i), Dir: c.nodeDir(i), PKI: c.path("pki"), Cgroup: c.cgroup(i),
		PauseImage: pauseImage, CNIPlugins: cniPlugins(), ProxyMode: c.ProxyMode,
		Pods: c.plan.NodePods(i), ClusterPods: c.plan.Pods(), DNS: c.plan.DNS(),
	}
}

func (c *Cluster) writeNodeFiles(i int) error {
	files, err := renderNodeFiles(c.nodeValues(i))
	if err != nil {
		return err
	}
	for name, content := range files {
		file := filepath.Join(c.nodeDir(i), name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func renderNodeFiles(values nodeValues) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, target := range nodeFiles {
		t, err := template.ParseFS(templates, "templates/"+name)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		if err := t.Option("missingkey=error").Execute(&out, values); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[target] = out.Bytes()
	}
	return files, nil
}
