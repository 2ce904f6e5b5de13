//! The program `vouch-issuer`.

fn main() -> std::process::ExitCode {
    vouch_issuer::command::main()
}
