// Package image writes OCI image archives (image-spec 1.0, one layer) from files, so that a test image needs neither a
// Dockerfile nor a container engine. The same files give the same bytes.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"
)

// Image is what an archive is made of.
type Image struct {
	// Name is NAME:TAG; a name without a registry is completed as container engines do.
	Name string
	// Files go into the one layer. The first is the entry point.
	Files []File
	// Env holds NAME=VALUE in addition to PATH.
	Env []string
	// User is the numeric user the image asks for; empty means root.
	User string
}

// File is one regular file of the layer: Content, or what the path Source holds.
type File struct {
	Source  string
	Content []byte
	Target  string
	Mode    os.FileMode
}

// ParseFile reads SOURCE:/TARGET.
func ParseFile(s string) (File, error) {
	source, target, ok := strings.Cut(s, ":")
	if !ok || source == "" || !strings.HasPrefix(target, "/") || strings.HasSuffix(target, "/") {
		return File{}, fmt.Errorf("%q is not SOURCE:/TARGET", s)
	}
	return File{Source: source, Target: path.Clean(target)}, nil
}

// FullName completes a name as container engines do: app:1 is docker.io/library/app:1.
func FullName(name string) string {
	first, _, hasPath := strings.Cut(name, "/")
	switch {
	case !hasPath:
		return "docker.io/library/" + name
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		return "docker.io/" + name
	}
	return name
}

// WriteFile writes the archive to a file, which appears only when it is complete.
func (i Image) WriteFile(file string) error {
	draft, err := os.CreateTemp(path.Dir(file), path.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	if err := errors.Join(i.Write(draft), draft.Chmod(0o644), draft.Close()); err != nil {
		return err
	}
	return os.Rename(draft.Name(), file)
}

// Write writes the archive.
func (i Image) Write(w io.Writer) error {
	if len(i.Files) == 0 {
		return errors.New("an image needs at least one file, the entry point")
	}
	layer, err := i.layer()
	if err != nil {
		return err
	}
	archive := archive{tar.NewWriter(w)}
	layerBlob, err := archive.blob("application/vnd.oci.image.layer.v1.tar", layer)
	if err != nil {
		return err
	}
	configBlob, err := archive.json("application/vnd.oci.image.config.v1+json", map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{
			"Entrypoint": []string{i.Files[0].Target}, "WorkingDir": "/", "User": i.User,
			"Env": append([]string{"PATH=/usr/bin:/bin"}, i.Env...),
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layerBlob.Digest}},
	})
	if err != nil {
		return err
	}
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest, err := archive.json(manifestType, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": configBlob, "layers": []descriptor{layerBlob},
	})
	if err != nil {
		return err
	}
	manifest.Platform = map[string]string{"architecture": runtime.GOARCH, "os": "linux"}
	manifest.Annotations = map[string]string{
		"io.containerd.image.name":          FullName(i.Name),
		"org.opencontainers.image.ref.name": i.Name,
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{manifest}})
	if err != nil {
		return err
	}
	return errors.Join(
		archive.put("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)),
		archive.put("index.json", index),
		archive.Close(),
	)
}

func (i Image) layer() ([]byte, error) {
	var out bytes.Buffer
	layer := layer{tar.NewWriter(&out), map[string]bool{}}
	for _, file := range i.Files {
		if err := layer.add(file); err != nil {
			return nil, err
		}
	}
	// Programs expect it, also where nothing else is writable and it is a mount point.
	if err := layer.directory("/tmp", 0o1777); err != nil {
		return nil, err
	}
	return out.Bytes(), layer.Close()
}

// layer is a tar archive that names every path once, and a folder before what is in it.
type layer struct {
	*tar.Writer
	seen map[string]bool
}

func (l layer) add(file File) error {
	if l.seen[file.Target] {
		return nil
	}
	content, mode := file.Content, file.Mode
	if file.Source != "" {
		info, err := os.Stat(file.Source)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a file", file.Source)
		}
		if content, err = os.ReadFile(file.Source); err != nil {
			return err
		}
		mode = info.Mode().Perm()
	}
	if err := l.directory(path.Dir(file.Target), 0o755); err != nil {
		return err
	}
	l.seen[file.Target] = true
	header := &tar.Header{Name: file.Target[1:], Mode: int64(mode), Size: int64(len(content)), Typeflag: tar.TypeReg}
	if err := l.WriteHeader(header); err != nil {
		return err
	}
	_, err := l.Write(content)
	return err
}

func (l layer) directory(dir string, mode int64) error {
	if dir == "/" || l.seen[dir] {
		return nil
	}
	if err := l.directory(path.Dir(dir), 0o755); err != nil {
		return err
	}
	l.seen[dir] = true
	return l.WriteHeader(&tar.Header{Name: dir[1:] + "/", Typeflag: tar.TypeDir, Mode: mode})
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    map[string]string `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// archive is an OCI image layout in a tar file.
type archive struct{ *tar.Writer }

func (a archive) put(name string, content []byte) error {
	header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}
	if err := a.WriteHeader(header); err != nil {
		return err
	}
	_, err := a.Write(content)
	return err
}

func (a archive) blob(mediaType string, content []byte) (descriptor, error) {
	digest := fmt.Sprintf("%x", sha256.Sum256(content))
	d := descriptor{MediaType: mediaType, Digest: "sha256:" + digest, Size: len(content)}
	return d, a.put("blobs/sha256/"+digest, content)
}

func (a archive) json(mediaType string, value any) (descriptor, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return descriptor{}, err
	}
	return a.blob(mediaType, content)
}
