//! Compiles the preload library, which the binary carries inside it.

use std::{env, path::PathBuf, process::ExitCode};

const SOURCE: &str = "preload/hidraw.c";

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed={SOURCE}");
    let Some(out_dir) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        eprintln!("OUT_DIR is not set: this program is run by cargo");
        return ExitCode::FAILURE;
    };
    let library = out_dir.join("libvirtual_key_preload.so");
    let mut compiler = cc::Build::new().opt_level(1).get_compiler().to_command();
    compiler.args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&library).arg(SOURCE).arg("-ldl");
    println!("cargo:rustc-env=PRELOAD_LIBRARY={}", library.display());
    match compiler.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("{compiler:?}: {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{compiler:?}: {error}; a C compiler is needed");
            ExitCode::FAILURE
        }
    }
}
