//! `setup/as-root` takes the environment along, and shows nothing of it to whoever lists processes or reads sudo's log.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use vouch_scenarios::process::Ran;

/// Writes down what the real one logs: its arguments, and the values of variables that it is to keep by their names.
const SUDO: &str = r#"
printf '%s\n' "$*" >>"${0%/*}/log"
case "$1" in
  --preserve-env=*) env >>"${0%/*}/log"; shift; exec "$@" ;;
  --preserve-env) shift; exec "$@" ;;
  -n) ;;
  *) exec "$@" ;;
esac
"#;
const SECRET: &str = "what nobody else may read";

#[test]
fn becoming_root_shows_nothing_of_the_environment() {
    let folder = tempfile::Builder::new().prefix("setup-").tempdir().unwrap();
    for (name, script) in [("sudo", SUDO), ("id", "echo 1000")] {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let as_root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../setup/as-root");
    let mut command = Command::new(as_root);
    command.args(["printenv", "SECRET", "HOME", "PATH", "TMPDIR", "XDG_STATE_HOME"]);
    command.env_clear().envs([("SECRET", SECRET), ("HOME", "/home/alice"), ("PATH", &path), ("TMPDIR", "/home/tmp")]);
    let ran = Ran::to_the_end("setup/as-root printenv".to_owned(), &mut command).succeeded();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[..4], [SECRET, "/home/alice", &path, "/home/tmp"], "{ran}");
    assert!(lines[4].ends_with("/.local/state") && !lines[4].starts_with("/home/alice"), "root's own: {ran}");
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("printenv SECRET") && !log.contains(SECRET), "{log}");
}
