//! The pods' account at work. With the Role that the operator makes for it an issuer starts, follows everything, and writes
//! what a sign-in changes; without any one right of it something fails, and says what is missing.

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    iter::successors,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use vouch_control_plane::{ControlPlane, client, tied, until};
use vouch_issuer::{
    cluster::Cluster,
    store::{
        Store as _, StoreError,
        kubernetes::{KubernetesStore, Scope},
    },
};

use crate::{
    access::{issuer, objects_of_an_issuer},
    right::{Right, rights},
    support::{the, tool},
};

/// Who has the whole Role.
const WHOLE: &str = "pod-whole";

/// An account with these rights.
fn account<'a>(name: &str, rights: impl Iterator<Item = &'a Right>) -> [Value; 3] {
    let metadata = json!({"name": name, "namespace": "vouch"});
    let group = "rbac.authorization.k8s.io";
    let version = format!("{group}/v1");
    let rules: Vec<Value> = rights.map(Right::rule).collect();
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": rules}),
        json!({
            "apiVersion": version, "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "vouch"}],
        }),
    ]
}

/// An issuer, with the rights of an account.
struct Pod {
    child: Child,
    folder: PathBuf,
}

impl Pod {
    fn start(kubeconfig: &Path, folder: &Path, account: &str) -> Self {
        let folder = folder.join(account);
        fs::create_dir(&folder).unwrap();
        let child = tied(tool("VOUCH_ISSUER"))
            .args(["serve", "--issuer=vouch", "--namespace=vouch"])
            .args(["--listen=127.0.0.1:0", "--private-listen=127.0.0.1:0", "--drain-delay=10m", "--ready-file"])
            .arg(folder.join("ready"))
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn();
        Self { child: child.unwrap(), folder }
    }

    fn is_ready(&self) -> bool {
        self.folder.join("ready").exists()
    }

    /// The status line and everything else that it answers on its readiness.
    fn readiness(&self) -> String {
        let ready: Value = serde_json::from_slice(&fs::read(self.folder.join("ready")).unwrap()).unwrap();
        let mut stream = TcpStream::connect(ready["private"].as_str().unwrap()).unwrap();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n").unwrap();
        io::read_to_string(stream).unwrap()
    }

    fn terminate(&self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
    }

    /// Without the marks of text in text.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap().replace('\\', "")
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes what a sign-in would, after `meanwhile`.
fn write(kubeconfig: &Path, meanwhile: impl FnOnce()) -> Result<(), StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let cluster = Cluster { client: client(kubeconfig).await, namespace: "vouch".to_owned() };
        let store = KubernetesStore::follow(&cluster, &Scope::Everybody);
        tokio::time::timeout(vouch_control_plane::PATIENCE, store.synced()).await.unwrap();
        let stored = store.user_by_email(&"alice@example.com".parse().unwrap()).await.unwrap().unwrap();
        let mut next = stored.user.clone();
        next.sessions_valid_from += Duration::from_secs(1);
        meanwhile();
        store.replace(&stored, &next).await.map(drop)
    })
}

fn chain(error: &StoreError) -> String {
    let causes = successors(Some(error as &dyn Error), |&cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An issuer is declared, its Secrets and a person are there, and no operator is at work.
pub(crate) fn need_every_right(cluster: &ControlPlane) {
    cluster.takes(&issuer("", true), &[]);
    let roots = fs::read_to_string(cluster.cluster().authority()).unwrap();
    let metadata = json!({"name": "roots", "namespace": "vouch"});
    let data = json!({"roots.pem": roots});
    cluster.takes(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}), &[]);
    let all = rights(the(&objects_of_an_issuer("1"), "Role"));
    let lacking: Vec<(String, &Right)> =
        all.iter().enumerate().map(|(number, right)| (format!("pod-without-{number}"), right)).collect();
    let mut objects: Vec<Value> =
        lacking.iter().flat_map(|(name, lacked)| account(name, all.iter().filter(|right| right != lacked))).collect();
    objects.extend(account(WHOLE, all.iter()));
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string(), &[]).answer();
    // It was made last, so whatever its account may do, the others may.
    let last = format!("--as=system:serviceaccount:vouch:{WHOLE}");
    until("the rights of the pods", || {
        cluster.kubectl(&["auth", "can-i", "get", "vouchusers.vouch.sh", "--namespace=vouch", &last]).is_success()
    });

    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = |account: &str| cluster.kubeconfig_of_account("vouch", account);
    let somebody_else_writes = || {
        cluster.told(&["annotate", "vouchuser", "--all", "--namespace=vouch", "--overwrite", "touched=again"]);
        cluster.told(&["annotate", "vouchuser", "--all", "--namespace=vouch", "touched-"]);
    };
    let whole = Pod::start(&kubeconfig(WHOLE), folder.path(), WHOLE);
    until("an issuer with every right", || whole.is_ready());
    write(&kubeconfig(WHOLE), || {}).unwrap();
    assert!(matches!(write(&kubeconfig(WHOLE), somebody_else_writes), Err(StoreError::Conflict)));
    for (account, right) in &lacking {
        let kubeconfig = kubeconfig(account);
        let words = match right.verb.as_str() {
            "list" | "watch" => {
                let pod = Pod::start(&kubeconfig, folder.path(), account);
                until(&format!("an issuer to miss {right:?}"), || right.is_missed_in(&pod.log()));
                pod.log()
            }
            "get" => chain(&write(&kubeconfig, somebody_else_writes).unwrap_err()),
            _ => chain(&write(&kubeconfig, || {}).unwrap_err()),
        };
        assert!(right.is_missed_in(&words), "nothing needs {right:?}: {words}");
    }
    assert!(!whole.log().contains("forbidden"), "{}", whole.log());
    whole.terminate();
    until("it to drain", || whole.readiness().contains(r#""lifecycle":"draining""#));
    assert!(whole.readiness().starts_with("HTTP/1.1 200"), "its endpoints go by its deletion: {}", whole.readiness());
}
