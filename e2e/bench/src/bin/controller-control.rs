//! What the operator is compared with: a controller that does nothing.

fn main() -> std::io::Result<()> {
    vouch_bench::cluster::controller::run(&std::env::args().skip(1).collect::<String>())
}
