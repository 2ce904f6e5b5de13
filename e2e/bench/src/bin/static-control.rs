//! What the issuer's documents are compared with: a server that does nothing else.

fn main() -> std::io::Result<()> {
    vouch_bench::control::serve(std::env::args_os().skip(1).map(Into::into))
}
