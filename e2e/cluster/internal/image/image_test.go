package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, image Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := image.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func entries(t *testing.T, archive []byte) (names []string, contents map[string][]byte) {
	t.Helper()
	contents = map[string][]byte{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return names, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
		contents[header.Name] = content
	}
}

func blob(t *testing.T, contents map[string][]byte, digest string, into any) []byte {
	t.Helper()
	content, ok := contents["blobs/sha256/"+strings.TrimPrefix(digest, "sha256:")]
	if !ok {
		t.Fatalf("no blob %s", digest)
	}
	if into != nil {
		if err := json.Unmarshal(content, into); err != nil {
			t.Fatal(err)
		}
	}
	return content
}

func sample() Image {
	return Image{
		Name: "vouch-issuer:test", User: "65532", Env: []string{"A=b"},
		Files: []File{
			{Content: []byte("program"), Target: "/usr/bin/program", Mode: 0o755},
			{Content: []byte("root"), Target: "/etc/ssl/root.pem", Mode: 0o644},
			{Content: []byte("twice"), Target: "/etc/ssl/root.pem", Mode: 0o644},
		},
	}
}

func TestEveryBlobIsFoundUnderItsDigest(t *testing.T) {
	_, contents := entries(t, write(t, sample()))
	for name, content := range contents {
		if digest, ok := strings.CutPrefix(name, "blobs/sha256/"); ok && digest != fmt.Sprintf("%x", sha256.Sum256(content)) {
			t.Errorf("%s holds something else", name)
		}
	}
	var index struct{ Manifests []descriptor }
	if err := json.Unmarshal(contents["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	if got := index.Manifests[0].Annotations["io.containerd.image.name"]; got != "docker.io/library/vouch-issuer:test" {
		t.Errorf("named %s", got)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	blob(t, contents, index.Manifests[0].Digest, &manifest)
	var config struct {
		Config struct {
			Entrypoint []string
			Env        []string
			User       string
		}
		Rootfs struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	blob(t, contents, manifest.Config.Digest, &config)
	if config.Config.Entrypoint[0] != "/usr/bin/program" || config.Config.User != "65532" || !slices.Contains(config.Config.Env, "A=b") {
		t.Errorf("%+v", config)
	}
	if config.Rootfs.DiffIDs[0] != manifest.Layers[0].Digest {
		t.Error("the layer is not the one the configuration names")
	}
	layer, files := entries(t, blob(t, contents, manifest.Layers[0].Digest, nil))
	want := []string{"usr/", "usr/bin/", "usr/bin/program", "etc/", "etc/ssl/", "etc/ssl/root.pem", "tmp/"}
	if !slices.Equal(layer, want) {
		t.Errorf("layer holds %v", layer)
	}
	if string(files["etc/ssl/root.pem"]) != "root" {
		t.Error("a path named twice must keep its first file")
	}
}

func TestTheSameFilesGiveTheSameBytes(t *testing.T) {
	if !bytes.Equal(write(t, sample()), write(t, sample())) {
		t.Fatal("two archives differ")
	}
}

func TestAnArchiveAppearsOnlyWhenItIsComplete(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "broken.tar")
	if err := (Image{Name: "x:1", Files: []File{{Source: filepath.Join(dir, "absent"), Target: "/x"}}}).WriteFile(file); err == nil {
		t.Fatal("took a file that is not there")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Fatal(left, err)
	}
}

func TestCompletesNamesAsContainerEnginesDo(t *testing.T) {
	for name, want := range map[string]string{
		"app:1":                   "docker.io/library/app:1",
		"vouch/issuer:1":          "docker.io/vouch/issuer:1",
		"ghcr.io/vouch/issuer:1":  "ghcr.io/vouch/issuer:1",
		"localhost/issuer:1":      "localhost/issuer:1",
		"localhost:5000/issuer:1": "localhost:5000/issuer:1",
	} {
		if got := FullName(name); got != want {
			t.Errorf("%s became %s", name, got)
		}
	}
}

func TestRefusesFilesWithoutATarget(t *testing.T) {
	for _, s := range []string{"", "a", "a:", "a:b", ":/b", "a:/b/"} {
		if _, err := ParseFile(s); err == nil {
			t.Errorf("took %q", s)
		}
	}
	file, err := ParseFile("target/vouch-issuer:/usr/bin/../bin/vouch-issuer")
	if err != nil || file.Target != "/usr/bin/vouch-issuer" {
		t.Fatal(file, err)
	}
}

func TestReadsWhatTheLoaderAnswers(t *testing.T) {
	paths, err := parseLdd("\tlinux-vdso.so.1 (0x00007ffc)\n" +
		"\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1a)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f1b)\n")
	if err != nil || !slices.Equal(paths, []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"}) {
		t.Fatal(paths, err)
	}
	if _, err := parseLdd("\tlibudev.so.1 => not found\n"); err == nil {
		t.Fatal("a missing library must not be left out in silence")
	}
}

func TestGivesNoClockToAStaticProgram(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := (Image{Name: "x:1", Files: []File{{Source: script, Target: "/x"}}}).WithClock(); err == nil {
		t.Fatal("promised a clock that the program would not follow")
	}
}
