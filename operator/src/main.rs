//! The program `vouch-operator`.

fn main() -> std::process::ExitCode {
    vouch_operator::command::main()
}
