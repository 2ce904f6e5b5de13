//! The objects are what they should be, whatever the values.

use clap::Parser as _;
use serde_json::{Value, json};
use vouch_crds::names;

use crate::support::{EVERYTHING, helms, of_kind, render, texts, the, title};

fn pods(objects: &[Value]) -> Vec<(String, &Value)> {
    let deployments =
        of_kind(objects, "Deployment").into_iter().map(|object| (title(object), &object["spec"]["template"]["spec"]));
    let single = of_kind(objects, "Pod").into_iter().map(|object| (title(object), &object["spec"]));
    deployments.chain(single).collect()
}

#[test]
fn both_helms_find_nothing_to_complain_about() {
    let chart = vouch_chart::chart();
    let ha = chart.join("values-ha.yaml");
    for helm in helms() {
        for values in [&[][..], &["--values", ha.to_str().unwrap()], &["--set", "scope=Cluster,crds.install=false"]] {
            let output = helm.run(&[&["lint", "--strict", chart.to_str().unwrap()], values].concat(), None);
            assert!(output.status.success(), "{}: {}", helm.version(), String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn definitions_are_left_to_somebody_else_when_asked() {
    assert_eq!(of_kind(&render(&[]), "CustomResourceDefinition").len(), vouch_crds::definitions().len());
    assert!(of_kind(&render(&["crds.install=false"]), "CustomResourceDefinition").is_empty());
}

#[test]
fn the_operator_understands_its_command_line() {
    let log = "operator.log=warn\\,vouch_operator=debug";
    for (set, scope) in [
        (&[log][..], "--namespaces=vouch"),
        (&["namespaces={a,b,a-b}"], "--namespaces=a,b,a-b"),
        (&["scope=Cluster"], "--cluster"),
        (&["operator.logFormat=text", "operator.lease.duration=60s", "operator.qps=1"], "--namespaces=vouch"),
    ] {
        let objects = render(set);
        let container = &the(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
        let arguments = texts(&container["args"]);
        assert!(arguments.contains(&scope), "{arguments:?}");
        let line = [&["vouch-operator"], arguments.as_slice()].concat();
        vouch_operator::command::Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn the_holder_of_the_lease_is_known_by_name_and_uid() {
    let objects = render(&["extraEnv[0].name=HTTPS_PROXY", "extraEnv[0].value=http://proxy.example.com:3128"]);
    let container = &the(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let variables: Vec<&str> =
        container["env"].as_array().unwrap().iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    use vouch_operator::command::env;
    assert_eq!(variables, [env::POD_NAME, env::POD_UID, env::POD_NAMESPACE, "HTTPS_PROXY"]);
    let lease = of_kind(&objects, "Role").into_iter().find(|role| role["metadata"]["name"] == "vouch-operator-lease");
    assert_eq!(lease.unwrap()["rules"][1]["resourceNames"], json!([names::LEASE]));
}

#[test]
fn every_pod_is_restricted_as_the_pod_security_standard_says() {
    let objects = render(&EVERYTHING);
    let pods = pods(&objects);
    assert_eq!(pods.len(), 2);
    for (title, pod) in pods {
        let context = &pod["securityContext"];
        assert_eq!(context["runAsNonRoot"], true, "{title}");
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{title}");
        for container in pod["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{title}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{title}");
            assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{title}");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{title}");
        }
    }
}

#[test]
fn one_switch_changes_the_registry_of_every_image() {
    let mut set = EVERYTHING.to_vec();
    set.extend(["global.imageRegistry=registry.example.com:5000/mirror/", "global.imagePullSecrets={pull}"]);
    let objects = render(&set);
    let version = env!("CARGO_PKG_VERSION");
    for (title, pod) in pods(&objects) {
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "pull"}]), "{title}");
        let image = pod["containers"][0]["image"].as_str().unwrap();
        assert!(image.starts_with("registry.example.com:5000/mirror/vouch-"), "{title}: {image}");
        assert!(image.ends_with(&format!(":{version}")), "{title}: {image}");
    }
    let container = &the(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let issuers = format!("--image=registry.example.com:5000/mirror/vouch-issuer:{version}");
    assert!(texts(&container["args"]).contains(&issuers.as_str()));
}

#[test]
fn a_digest_wins_over_a_tag() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let objects = render(&[
        "image.tag=9.9",
        &format!("image.digest={digest}"),
        "issuerImage.registry=registry.example.com",
        &format!("issuerImage.digest={digest}"),
    ]);
    let container = &the(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], format!("vouch-operator@{digest}"));
    let issuers = format!("--image=registry.example.com/vouch-issuer@{digest}");
    assert!(texts(&container["args"]).contains(&issuers.as_str()));
}

#[test]
fn every_object_has_the_labels_of_the_release_and_of_the_administrator() {
    let mut set = EVERYTHING.to_vec();
    set.extend(["commonLabels.team=identity", "commonAnnotations.contact=alice@example.com"]);
    for object in render(&set) {
        let metadata = &object["metadata"];
        assert_eq!(metadata["labels"]["team"], "identity", "{}", title(&object));
        assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "Helm", "{}", title(&object));
        assert_eq!(metadata["annotations"]["contact"], "alice@example.com", "{}", title(&object));
    }
}

#[test]
fn an_administrators_label_never_replaces_one_of_the_chart() {
    let name = "app\\.kubernetes\\.io/name";
    let objects = render(&[&format!("commonLabels.{name}=other"), &format!("podLabels.{name}=other")]);
    let spec = &the(&objects, "Deployment")["spec"];
    for (label, value) in spec["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&spec["template"]["metadata"]["labels"][label], value);
    }
    assert_eq!(
        spec["selector"]["matchLabels"].as_object().unwrap().len(),
        2,
        "a selector is immutable: nothing in it changes"
    );
}

#[test]
fn what_selects_pods_selects_those_of_the_operator_and_no_others() {
    let objects = render(
        &[&EVERYTHING[..], &["metrics.podMonitor.enabled=false", "metrics.serviceMonitor.enabled=true"]].concat(),
    );
    let operator = the(&objects, "Deployment")["spec"]["template"]["metadata"]["labels"].as_object().unwrap();
    let test = the(&objects, "Pod")["metadata"]["labels"].as_object().unwrap();
    let selectors = [
        &the(&objects, "Service")["spec"]["selector"],
        &the(&objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        &the(&objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ];
    for selector in selectors {
        let selector = selector.as_object().unwrap();
        assert!(selector.iter().all(|(label, value)| operator.get(label) == Some(value)), "{selector:?}");
        assert!(!selector.iter().all(|(label, value)| test.get(label) == Some(value)), "{selector:?}");
    }
}

/// An issuer's objects are called like it, and it may be called like the release.
#[test]
fn no_object_of_the_operator_is_called_like_one_of_an_issuer() {
    for object in render(&EVERYTHING) {
        let name = object["metadata"]["name"].as_str().unwrap();
        assert!(!["vouch", "vouch-metrics"].contains(&name), "{}", title(&object));
    }
}

#[test]
fn the_operator_runs_where_it_is_told_to() {
    let objects = render(&[
        "priorityClassName=system-cluster-critical",
        "nodeSelector.pool=identity",
        "tolerations[0].key=dedicated",
        "tolerations[0].operator=Exists",
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1",
        "replicas=1",
        "networkPolicy.egress[0].ports[0].port=6443",
    ]);
    let spec = &the(&objects, "Deployment")["spec"];
    let pod = &spec["template"]["spec"];
    assert_eq!(spec["replicas"], 1);
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
    assert_eq!(pod["nodeSelector"]["pool"], "identity");
    assert_eq!(pod["tolerations"][0]["key"], "dedicated");
    assert_eq!(pod["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]["weight"], 1);
    let policy = &the(&objects, "NetworkPolicy")["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(policy["egress"][0]["ports"][0]["port"], 6443);
}

#[test]
fn with_the_values_for_high_availability_no_two_operators_share_a_node() {
    let ha = vouch_chart::chart().join("values-ha.yaml");
    let objects = render(&[ha.to_str().unwrap()]);
    let spec = &the(&objects, "Deployment")["spec"];
    assert_eq!(spec["replicas"], 3);
    let constraints = spec["template"]["spec"]["topologySpreadConstraints"].as_array().unwrap();
    let strict = constraints.iter().find(|constraint| constraint["whenUnsatisfiable"] == "DoNotSchedule").unwrap();
    assert_eq!(strict["topologyKey"], "kubernetes.io/hostname");
    assert_eq!(strict["labelSelector"]["matchLabels"], spec["selector"]["matchLabels"]);
    assert_eq!(strict["nodeTaintsPolicy"], "Honor", "a node that takes no pods is none to share them with");
}

#[test]
fn more_objects_are_templates_as_text_and_as_manifests() {
    let values = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    let text = r#"
extraObjects:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: "{{ .Release.Name }}-a"}
  - |
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: {{ .Release.Name }}-b
"#;
    std::fs::write(values.path(), text).unwrap();
    let objects = render(&[values.path().to_str().unwrap()]);
    let names: Vec<&Value> = of_kind(&objects, "ConfigMap").iter().map(|object| &object["metadata"]["name"]).collect();
    assert_eq!(names, ["vouch-a", "vouch-b"]);
}

#[test]
fn helm_test_asks_the_issuer_that_is_named_and_is_no_part_of_an_installation() {
    assert!(of_kind(&render(&[]), "Pod").is_empty());
    let objects = render(&[
        "test.url=https://vouch.example.com",
        "test.connectTo=vouch.vouch.svc:443",
        "test.caSecretName=vouch-tls",
    ]);
    let pod = the(&objects, "Pod");
    assert_eq!(pod["metadata"]["annotations"]["helm.sh/hook"], "test");
    assert_eq!(
        texts(&pod["spec"]["containers"][0]["args"]),
        [
            "check-endpoint",
            "https://vouch.example.com",
            "--connect-to=vouch.vouch.svc:443",
            "--ca-file=/etc/vouch/ca/ca.crt"
        ]
    );
    assert_eq!(pod["spec"]["volumes"][0]["secret"]["secretName"], "vouch-tls");
}
