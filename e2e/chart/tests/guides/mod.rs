//! The pages that people read: links lead somewhere, commands can be typed, manifests are taken, and every alert is
//! explained.

mod markdown;
mod shell;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::{Parser, error::ErrorKind};
use serde_json::{Value, json};
use vouch_control_plane::ControlPlane;

use self::markdown::Page;
use crate::{
    monitoring::metrics,
    support::{documents, render, the, tool},
};

const KID: &str = "Q7vxAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// What stands for something that a program looks at, and one of it.
const PLACEHOLDERS: [(&str, &str); 3] = [("KID", KID), ("KEY", KID), ("NAMESPACE", "vouch")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every page that is written by hand, or has words of a person in it.
fn pages() -> Vec<Page> {
    let mut files: Vec<PathBuf> = ["README.md", "charts/vouch/README.md", "images/README.md", "e2e/README.md"]
        .map(|file| root().join(file))
        .to_vec();
    for folder in ["docs", "docs/reference"] {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    files.sort();
    assert!(files.len() > 10, "{files:?}");
    files.iter().map(|file| Page::read(file)).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let local = page.links.iter().filter(|link| !link.contains("://"));
        for link in local {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(file) };
            assert!(target.exists(), "{} links to {link}, which is not there", page.path.display());
            let has = || Page::read(&target).anchors.iter().any(|known| known == anchor);
            assert!(anchor.is_empty() || has(), "{} links to {link}, which has no such heading", page.path.display());
        }
    }
}

/// A command of a page, with a real value in the place of a placeholder.
struct Typed {
    words: Vec<String>,
    /// Running text may name a command without all that it needs.
    whole: bool,
}

/// The commands of a page. The reference of a program is made from the program.
fn commands(page: &Page) -> Vec<Typed> {
    let generated = page.path.parent().is_some_and(|folder| folder.ends_with("reference"));
    let blocks = page.written_in("sh").filter(|_| !generated).map(|script| (script, true));
    let scripts = blocks.chain(page.code.iter().map(|code| (code.as_str(), false)));
    let typed = |(script, whole)| {
        shell::commands(script).into_iter().map(move |words| {
            let words = words.into_iter().filter(|word| word != "…").skip_while(|word| word == "sudo");
            let filled = |word: String| {
                let placeholder = PLACEHOLDERS.iter().find(|(placeholder, _)| *placeholder == word);
                placeholder.map_or(word, |(_, value)| (*value).to_owned())
            };
            Typed { words: words.map(filled).collect(), whole }
        })
    };
    scripts.flat_map(typed).filter(|typed| typed.words.len() > 1).collect()
}

/// Why a program of ours does not understand a command line, if it does not.
fn misunderstood<C: Parser>(words: &[String], whole: bool) -> Option<String> {
    let error = C::try_parse_from(words).err()?;
    let understood = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand => !whole,
        // An option without its value.
        ErrorKind::InvalidValue => !whole && words.last().is_some_and(|last| last.starts_with('-')),
        _ => false,
    };
    (!understood).then(|| error.to_string())
}

/// Why a program that reads flags before it gives help does not understand a command line, if it does not.
fn refused(command: &mut Command, arguments: &[String]) -> Option<String> {
    let output = command.args(arguments).arg("--help").env("KUBECONFIG", "/dev/null").output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_command_can_be_typed() {
    let mut tried = BTreeSet::new();
    for page in pages() {
        for Typed { words, whole } in commands(&page) {
            let line = words.join(" ");
            if !tried.insert((line.clone(), whole)) {
                continue;
            }
            let trouble = match (words[0].as_str(), words[1].as_str()) {
                ("kubectl", "vouch") => misunderstood::<vouch_operator::plugin::args::Cli>(&words[1..], whole),
                ("kubectl", _) => refused(Command::new(vouch_control_plane::program()).arg("kubectl"), &words[1..]),
                ("helm", _) => refused(&mut Command::new(tool("VOUCH_HELM")), &words[1..]),
                ("vouch", _) => misunderstood::<vouch_cli::args::Arguments>(&words, whole),
                ("vouch-issuer", _) => misunderstood::<vouch_issuer::command::Cli>(&words, whole),
                _ => continue,
            };
            assert_eq!(trouble, None, "{}: {line}", page.path.display());
        }
    }
    assert!(tried.len() > 60, "{tried:?}");
}

/// The parts of an issuer that a page shows are laid over this one.
fn issuer_with(part: &Value) -> Value {
    let mut issuer = json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer", "metadata": {"name": "vouch", "namespace": "vouch"},
        "spec": {"url": "https://vouch.example.com", "organization": {"name": "Example Inc", "emailDomains": ["example.com"]}},
    });
    let spec = issuer["spec"].as_object_mut().unwrap();
    spec.extend(part["spec"].as_object().unwrap().clone());
    issuer
}

/// Whole objects, parts of an issuer, and values of the chart: nothing else is written in YAML.
#[test]
fn every_manifest_is_taken() {
    let cluster = ControlPlane::start();
    cluster.install_definitions();
    cluster.told(&["create", "namespace", "vouch"]);
    let judged = ["--dry-run=server"];
    let (mut objects, mut values) = (0, 0);
    for page in pages() {
        for text in page.written_in("yaml") {
            for object in documents(text) {
                if object.get("apiVersion").is_some() {
                    cluster.takes(&object, &judged);
                    objects += 1;
                } else if object.get("spec").is_some() {
                    cluster.takes(&issuer_with(&object), &judged);
                    objects += 1;
                } else {
                    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
                    fs::write(file.path(), text).unwrap();
                    assert!(!render(&[file.path().to_str().unwrap()]).is_empty());
                    values += 1;
                }
            }
        }
    }
    for example in fs::read_dir(root().join("docs/examples")).unwrap() {
        let path = example.unwrap().path();
        cluster.told(&["apply", "--dry-run=server", "--validate=strict", "--filename", path.to_str().unwrap()]);
    }
    assert!(objects > 5 && values > 1, "{objects} objects, {values} values");
}

#[test]
fn every_alert_and_every_metric_that_is_named_is_there() {
    let rules = render(&["metrics.rules.enabled=true"]);
    let groups = the(&rules, "PrometheusRule")["spec"]["groups"].as_array().unwrap().clone();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let alerts: BTreeSet<&str> = rules.map(|rule| rule["alert"].as_str().unwrap()).collect();
    let guide = fs::read_to_string(root().join("docs/operate.md")).unwrap();
    let (_, section) = guide.split_once("\n## Alerts\n").unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let explained: BTreeSet<&str> = rows.map(|(name, _)| name).collect();
    assert_eq!(alerts, explained, "the table of alerts in operate.md");

    let known = metrics();
    for page in pages() {
        for code in
            page.code.iter().filter(|code| code.starts_with("vouch_issuer_") || code.starts_with("vouch_operator_"))
        {
            // A histogram is known by the names that it is queried by; a star stands for several metrics.
            let name = code.trim_end_matches('*');
            let found = known.keys().any(|metric| metric.starts_with(name));
            assert!(found, "{} names {code}", page.path.display());
        }
    }
}
