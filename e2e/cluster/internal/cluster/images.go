package cluster

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"vouch.sh/e2e/cluster/internal/image"
)

const (
	pauseImage   = "docker.io/cluster/pause:1"
	coreDNSImage = "docker.io/cluster/coredns:1"
)

func imageCommand(args []string) error {
	flags := flag.NewFlagSet("image", flag.ExitOnError)
	i := image.Image{}
	clock := flags.Bool("clock", false, "let `cluster pod clock` set the program's time; it must be linked dynamically")
	flags.Var((*texts)(&i.Env), "env", "NAME=VALUE of the image; may be repeated")
	flags.StringVar(&i.User, "user", "", "numeric user the image runs as")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() < 3 {
		return errors.New("usage: cluster image [-clock] [-env NAME=VALUE] [-user UID] NAME:TAG OUT.tar SOURCE:/TARGET...")
	}
	i.Name = flags.Arg(0)
	for _, s := range flags.Args()[2:] {
		file, err := image.ParseFile(s)
		if err != nil {
			return err
		}
		i.Files = append(i.Files, file)
	}
	var err error
	if *clock {
		if i, err = i.WithClock(); err != nil {
			return err
		}
	}
	if i.Files, err = image.WithLibraries(i.Files); err != nil {
		return err
	}
	return i.WriteFile(flags.Arg(1))
}

// stageImages puts the archives that every node imports into images/.
func (c *Cluster) stageImages(o *options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	own := map[string]string{"pause": pauseImage}
	if o.dns {
		own["coredns"] = coreDNSImage
	}
	for program, name := range own {
		file := image.File{Source: filepath.Join(filepath.Dir(self), program), Target: "/" + program}
		if err := (image.Image{Name: name, Files: []image.File{file}}).WriteFile(c.path("images", program+".tar")); err != nil {
			return err
		}
	}
	for _, archive := range o.images {
		if _, err := c.stage(archive); err != nil {
			return err
		}
	}
	return nil
}

// stage copies an archive to where nodes, also those started later, find it.
func (c *Cluster) stage(archive string) (staged string, err error) {
	source, err := os.Open(archive)
	if err != nil {
		return "", err
	}
	defer source.Close()
	staged = c.path("images", filepath.Base(archive))
	draft, err := os.OpenFile(staged+".draft", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fs.FileMode(0o644))
	if err != nil {
		return "", err
	}
	_, err = io.Copy(draft, source)
	if err := errors.Join(err, draft.Close()); err != nil {
		return "", err
	}
	return staged, os.Rename(staged+".draft", staged)
}

func importArgs(archive string) []string {
	return []string{"-n", "k8s.io", "images", "import", archive}
}

// loadCommand imports archives on every node that runs; the others do so when they start.
func loadCommand(args []string) error {
	c, rest, err := open("load", args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return errors.New("usage: cluster load ARCHIVE...")
	}
	for _, archive := range rest {
		if filepath.Ext(archive) != ".tar" {
			return fmt.Errorf("%s: an image archive is a .tar file", archive)
		}
		staged, err := c.stage(archive)
		if err != nil {
			return err
		}
		for i := 1; i <= c.Nodes; i++ {
			if c.pid(nodeName(i)) == 0 {
				continue
			}
			if err := c.runInNode(i, append([]string{"ctr"}, importArgs(staged)...)...); err != nil {
				return err
			}
		}
	}
	return nil
}
