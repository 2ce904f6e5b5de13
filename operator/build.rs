//! Packs the relocations of `vouch-operator` (RELR) where it is compiled as it ships.
//!
//! As a position-independent executable it is placed anew at every start, and writes some sixty thousand addresses. Their list
//! is 1.4 MB of a program that is 12, read once and resident ever after; packed it is 12 kB. The image has everything linked
//! in. Elsewhere a C library before 2.36 refuses such a program, so a build to work with is left alone.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| std::env::var(key).is_ok_and(|found| found == value);
    // Profile `operator`: cargo tells a build script of no other name than `release`.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("OPT_LEVEL", "z") {
        println!("cargo:rustc-link-arg-bin=vouch-operator=-Wl,-z,pack-relative-relocs");
    }
}
