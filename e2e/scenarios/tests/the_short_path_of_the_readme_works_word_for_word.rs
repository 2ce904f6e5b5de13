//! A newcomer types what the README prints, with the manifest that the guide prints.

use std::{fs, net::SocketAddr, path::Path};

use vouch_scenarios::{
    binaries,
    developer::unlock,
    guide::{self, HUB, developer_role},
    issuer::Listeners,
    manifest::ISSUER_HOST,
    process::{Process, Ran, tied},
    wait::{PATIENCE, until},
    world::Prepared,
};

const README: &str = include_str!("../../../README.md");
const GUIDE: &str = include_str!("../../../docs/getting-started.md");

/// The first block of a language after a sentence.
fn block<'a>(page: &'a str, after: &str, language: &str) -> &'a str {
    let rest = page.split_once(after).unwrap().1;
    rest.split_once(&format!("```{language}\n")).unwrap().1.split_once("```").unwrap().0
}

/// The words of the only line that begins so, without its comment.
fn line(beginning: &str) -> Vec<&'static str> {
    let parts = ["In short, ", "Either way, "].map(|part| block(README, part, "sh"));
    let found: Vec<&str> =
        parts.iter().flat_map(|part| part.lines()).filter(|line| line.starts_with(beginning)).collect();
    assert_eq!(found.len(), 1, "{beginning}: {found:?}");
    let (command, _) = found[0].split_once('#').unwrap_or((found[0], ""));
    command.split_whitespace().skip(1).collect()
}

/// Listens where a test may, and tells where. Everything else is as printed.
fn serve(folder: &Path) -> (Process, SocketAddr) {
    let ready = folder.join("ready.json");
    let mut serve = tied(binaries::path("vouch-issuer"));
    serve.current_dir(folder);
    serve.args(line("vouch-issuer serve").iter().map(|word| word.replace("0.0.0.0:443", "127.0.0.1:0")));
    serve.args(["--private-listen", "127.0.0.1:0"]).arg("--ready-file").arg(&ready);
    let mut process = Process::start(&mut serve, &folder.join("serve.log"));
    let listeners: Listeners = until("the issuer to be ready", PATIENCE, || {
        assert!(process.ended().is_none(), "{}", process.log());
        serde_json::from_slice(&fs::read(&ready).ok()?).ok()
    });
    (process, listeners.public)
}

#[test]
fn the_short_path_of_the_readme_works_word_for_word() {
    let world = Prepared::new();
    let config = world.issuer.config();
    let folder = config.parent().unwrap();
    let roots = world.makers_root().replace('\n', "\n        ");
    let manifest = block(GUIDE, "## 2. The issuer", "yaml");
    fs::write(&config, format!("{manifest}  authenticators:\n    attestationRoots:\n      pem: |\n        {roots}"))
        .unwrap();
    let tls = world.issuers_certificate();
    fs::copy(&tls.certificate, folder.join("cert.pem")).unwrap();
    fs::copy(&tls.key, folder.join("key.pem")).unwrap();

    let administrator = |beginning: &str| {
        let mut command = tied(binaries::path("vouch-issuer"));
        command.current_dir(folder).args(line(beginning));
        Ran::to_the_end(beginning.to_owned(), &mut command).succeeded()
    };
    let _ = administrator("vouch-issuer init");
    let (_issuer, public) = serve(folder);
    world.cloud.standin.route(ISSUER_HOST, public);
    world.cloud.prepare(&guide::direct_role(HUB));
    let invitation = administrator("vouch-issuer invite").stdout;
    let code = invitation.split_whitespace().find(|word| word.len() == 14 && word.matches('-').count() == 2).unwrap();

    let key = world.key("key");
    let mut alice = world.developer("alice");
    alice.insert(&key);
    let mut terminal = alice.vouch_at_terminal(&line("vouch enroll"));
    terminal.expect("Invite code: ");
    terminal.type_line(code);
    unlock(&mut terminal);
    let _ = terminal.finish().succeeded();
    let mut terminal = alice.vouch_at_terminal(&line("vouch login"));
    unlock(&mut terminal);
    let _ = terminal.finish().succeeded();
    let _ = alice.vouch(&line("vouch setup aws")).succeeded();
    let who = alice.aws(&line("aws sts")).succeeded();
    assert!(who.stdout.contains("assumed-role/VouchDeveloper/alice@example.com"), "{who}");
    assert!(line("vouch setup aws").contains(&developer_role(HUB).as_str()));
}
