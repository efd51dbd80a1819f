//! Takes the lab's module into the program, where `SCALELAB_LAB_MODULE` names it at build time. Without it the program has none.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=SCALELAB_LAB_MODULE");
    println!("cargo::rerun-if-changed=build.rs");
    let module = env::var_os("SCALELAB_LAB_MODULE").map(PathBuf::from);
    let bytes = module.map(|path| {
        println!("cargo::rerun-if-changed={}", path.display());
        fs::read(&path).unwrap_or_else(|error| panic!("SCALELAB_LAB_MODULE: {}: {error}", path.display()))
    });
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("lab.wasm");
    fs::write(out, bytes.unwrap_or_default()).expect("the build's folder can be written to");
}
