package image

import (
	"debug/elf"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// WithLibraries adds the loader and the shared libraries of each file that is a dynamically linked program or library.
// Static programs and other files are left as they are.
func WithLibraries(files []File) ([]File, error) {
	all := files
	for _, file := range files {
		if file.Source == "" {
			continue
		}
		dynamic, err := Dynamic(file.Source)
		if err != nil {
			return nil, err
		}
		if !dynamic {
			continue
		}
		paths, err := libraries(file.Source)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			all = append(all, File{Source: path, Target: path})
		}
	}
	return all, nil
}

// Dynamic says whether a file is a program or library that needs others at run time.
func Dynamic(file string) (bool, error) {
	program, err := elf.Open(file)
	var noELF *elf.FormatError
	if errors.As(err, &noELF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer program.Close()
	needed, err := program.ImportedLibraries()
	if err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	return len(needed) > 0, nil
}

// libraries asks the loader itself, which alone knows where it would look.
func libraries(file string) ([]string, error) {
	out, err := exec.Command("ldd", file).Output()
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w", file, err)
	}
	return parseLdd(string(out))
}

// parseLdd reads lines such as
//
//	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f0000000000)
//	/lib64/ld-linux-x86-64.so.2 (0x00007f0000000000)
func parseLdd(out string) ([]string, error) {
	var paths []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "not found") {
			return nil, fmt.Errorf("missing library: %s", strings.TrimSpace(line))
		}
		for _, field := range strings.Fields(line) {
			if filepath.IsAbs(field) {
				paths = append(paths, field)
				break
			}
		}
	}
	return paths, nil
}
