//! The commands of `docs/operate.md` for backups are typed as they stand there: keys that are lost, keys without a backup,
//! and a namespace that is lost with everything in it. People keep their keys and their sessions.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use vouch_crds::names::{condition, root_secret, signing_keys};
use vouch_scenarios::{
    binaries,
    guide::{self, HUB, developer_role},
    kubernetes::{
        self,
        site::{ISSUER, Site},
    },
    process::Ran,
};

/// Where the guide has its issuer.
const NAMESPACE: &str = "vouch";

/// A person who types what the guide says, in a folder of their own.
struct Reader<'a> {
    site: &'a Site<'a>,
    guide: String,
    folder: PathBuf,
}

impl<'a> Reader<'a> {
    fn new(site: &'a Site<'a>) -> Self {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate.md");
        let folder = site.folder().join("operations");
        fs::create_dir_all(folder.join("bin")).unwrap();
        // kubectl of the cluster's own version, with the plugin of this build.
        let cluster = vouch_control_plane::program();
        let plugin = binaries::path("kubectl-vouch");
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = vouch ]; then shift; exec {} \"$@\"; fi\nexec {} kubectl \"$@\"\n",
            plugin.display(),
            cluster.display()
        );
        let kubectl = folder.join("bin/kubectl");
        fs::write(&kubectl, script).unwrap();
        fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).unwrap();
        Self { site, guide: fs::read_to_string(guide).unwrap(), folder }
    }

    /// The blocks of commands under a heading, in their order.
    fn blocks(&self, heading: &str) -> Vec<&str> {
        let (_, section) = self.guide.split_once(&format!("\n{heading}\n")).expect("the heading");
        let section = section.split("\n#").next().unwrap();
        let blocks = section.split("```sh\n").skip(1);
        blocks.map(|block| block.split("```").next().unwrap()).collect()
    }

    /// Types a block, and insists that every command of it is carried out; once more after a `Conflict`, as the guide says.
    fn types(&self, heading: &str, block: usize) -> Ran {
        let ran = self.tries(heading, block);
        if ran.stderr.contains("Conflict") { self.tries(heading, block).succeeded() } else { ran.succeeded() }
    }

    fn tries(&self, heading: &str, block: usize) -> Ran {
        let script = self.blocks(heading)[block];
        let path = format!("{}:{}", self.folder.join("bin").display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", script]).current_dir(&self.folder).process_group(0);
        shell.env("PATH", path).env("KUBECONFIG", self.site.cluster().kubeconfig());
        shell.env("CLUSTER_DIR", self.site.cluster().kubeconfig().parent().unwrap());
        Ran::to_the_end(script.to_owned(), &mut shell)
    }
}

#[test]
fn the_operations_guide_works_as_written() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start(installation, NAMESPACE);
    site.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = site.signed_in("alice");
    let reader = Reader::new(&site);
    let mut duration = 900;
    let mut session_goes_on = |after: &str| {
        duration += 1;
        let credential = ["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration.to_string()];
        let ran = alice.vouch(&credential);
        assert_eq!(ran.code, Some(0), "after {after}: {ran}");
    };

    reader.types("## Back up", 0);
    let published = site.published_keys();
    for secret in [signing_keys::name(ISSUER), root_secret::name(ISSUER)] {
        let _ = site.kubectl(&["delete", "secret", &secret]).succeeded();
    }
    site.await_condition(condition::KEYS_READY, "False", "KeySecretMissing");
    reader.types("### The keys are lost or damaged", 0);
    assert_eq!(site.published_keys(), published);
    session_goes_on("the keys were restored");

    let _ = site.kubectl(&["delete", "secret", &signing_keys::name(ISSUER)]).succeeded();
    site.await_condition(condition::KEYS_READY, "False", "KeySecretMissing");
    reader.types("### The keys are lost or damaged", 1);
    site.await_condition(condition::READY, "True", "AsDeclared");
    site.await_keys_of_secret();
    assert!(site.published_keys().iter().all(|kid| !published.contains(kid)), "an order makes new keys");
    alice.login_again();

    let bobs_invite = site.invite("bob@example.com");
    reader.types("## Back up", 0);
    let published = site.published_keys();
    let _ = site.cluster().kubectl(&["delete", "namespace", NAMESPACE]).succeeded();
    let _ = site.cluster().kubectl(&["create", "namespace", NAMESPACE]).succeeded();
    let _ = site.provide_certificate();
    reader.types("### The namespace is lost, or the cluster", 0);
    site.await_issuer();
    let adopted = site.kubectl(&["get", "events", "--field-selector=reason=KeysAdopted"]).succeeded();
    assert!(adopted.stdout.contains("KeysAdopted"), "{adopted}");
    assert_eq!(site.published_keys(), published);
    session_goes_on("everything was restored");
    alice.login_again();
    let (bob, _bobs_key) = site.signed_in_by(&bobs_invite);
    let _ = bob.vouch(&["credential", "aws", "--role", &developer_role(HUB)]).succeeded();
}
