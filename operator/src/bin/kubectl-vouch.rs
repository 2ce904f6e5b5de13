//! The program `kubectl-vouch`, which kubectl runs as `kubectl vouch`.

fn main() -> std::process::ExitCode {
    vouch_operator::plugin::main()
}
