package image

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
)

// ClockFile is read by libfaketime within a second of every change: an offset such as +0 or -300s.
const ClockFile = "/etc/faketimerc"

const clockLibrary = "/usr/lib/faketime/libfaketimeMT.so.1"

// WithClock lets the image's programs live at another time than the machine. The kernel has one wall clock for all
// containers, so it is done in the C library; a static program has none and is refused.
func (i Image) WithClock() (Image, error) {
	if len(i.Files) == 0 {
		return i, errors.New("an image needs at least one file, the entry point")
	}
	dynamic, err := Dynamic(i.Files[0].Source)
	if err != nil {
		return i, err
	}
	if !dynamic {
		return i, fmt.Errorf("%s is static: a clock of its own needs a program linked to the C library at run time", i.Files[0].Source)
	}
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
	if len(found) == 0 {
		return i, fmt.Errorf("libfaketime for %s is missing: install the package faketime", runtime.GOARCH)
	}
	i.Files = append(i.Files,
		File{Source: found[0], Target: clockLibrary},
		File{Content: []byte("+0\n"), Target: ClockFile, Mode: 0o644},
	)
	i.Env = append(i.Env,
		"LD_PRELOAD="+clockLibrary,
		"FAKETIME_TIMESTAMP_FILE="+ClockFile,
		"FAKETIME_CACHE_DURATION=1",
		// Timers and timeouts go on as they are; only what time it is changes.
		"FAKETIME_DONT_FAKE_MONOTONIC=1",
	)
	return i, nil
}
