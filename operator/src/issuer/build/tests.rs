//! What is built, as people and the API server will see it: JSON.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value
)]

use serde_json::{Value, json};
use vouch_crds::issuer::VouchIssuer;

use super::{
    deployment::{DRAIN_DELAY, DRAIN_TIMEOUT},
    *,
};
use crate::issuer::validate::validate;

fn issuer(changes: Value) -> ValidIssuer {
    let mut object = json!({
        "apiVersion": "vouch.sh/v1alpha1",
        "kind": "VouchIssuer",
        "metadata": {"name": "login", "namespace": "vouch", "uid": "u1"},
        "spec": {
            "url": "https://vouch.example.com",
            "organization": {"name": "Example", "emailDomains": ["example.com"]},
        },
    });
    for (name, value) in changes.as_object().unwrap() {
        object["spec"][name] = value.clone();
    }
    let object: VouchIssuer = serde_json::from_value(object).unwrap();
    validate(&object, &[], "vouch-issuer:1").unwrap()
}

fn every_api() -> OptionalApis {
    OptionalApis::of(Kind::OPTIONAL)
}

fn find(objects: &[Desired], kind: Kind, name: &str) -> Option<Value> {
    objects.iter().find(|object| object.kind() == kind && object.name() == name).map(|object| object.body().clone())
}

fn built(changes: Value, kind: Kind) -> Value {
    find(&build(&issuer(changes), &every_api()).unwrap(), kind, "login").unwrap_or(Value::Null)
}

fn pod(changes: Value) -> Value {
    built(changes, Kind::Deployment)["spec"]["template"]["spec"].clone()
}

#[test]
fn everything_belongs_to_the_issuer_and_says_so() {
    let objects = build(&issuer(json!({})), &every_api()).unwrap();
    for object in &objects {
        let metadata = &object.body()["metadata"];
        assert_eq!(metadata["ownerReferences"][0]["uid"], "u1");
        assert_eq!(metadata["ownerReferences"][0]["controller"], true);
        assert_eq!(metadata["namespace"], "vouch");
        assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "vouch-operator");
        assert_eq!(metadata["labels"]["app.kubernetes.io/instance"], "login");
        assert!(object.digest().is_some());
    }
    let slots = slots("login");
    assert!(objects.iter().all(|object| slots.contains(&(object.kind(), object.name().to_owned()))));
}

#[test]
fn the_pods_keep_to_the_restricted_pod_security_standard() {
    let pod = pod(json!({}));
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["capabilities"], json!({"drop": ["ALL"]}));
}

#[test]
fn a_rollout_takes_no_pod_away_before_its_successor_serves() {
    let strategy = built(json!({}), Kind::Deployment)["spec"]["strategy"].clone();
    assert_eq!(strategy, json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}));
}

#[test]
fn a_pod_may_stop_for_longer_than_its_longest_request_lasts() {
    const LONGEST_WATCH: u64 = 55;
    let pod = pod(json!({}));
    let arguments = pod["containers"][0]["args"].as_array().unwrap();
    assert!(arguments.contains(&json!("--drain-delay=10s")) && arguments.contains(&json!("--drain-timeout=60s")));
    assert!(DRAIN_TIMEOUT.as_secs() > LONGEST_WATCH);
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > (DRAIN_DELAY + DRAIN_TIMEOUT).as_secs());
}

#[test]
fn a_pod_goes_on_accepting_for_as_long_as_what_stands_before_it_may_take_to_notice() {
    let delay_and_grace = |declared: Value| {
        let pod = pod(declared);
        let arguments = pod["containers"][0]["args"].as_array().unwrap().iter().filter_map(Value::as_str);
        let delay = arguments.filter_map(|argument| argument.strip_prefix("--drain-delay=")).next().unwrap().to_owned();
        (delay, pod["terminationGracePeriodSeconds"].as_u64().unwrap())
    };
    let service = |policy: &str| json!({"service": {"type": "LoadBalancer", "externalTrafficPolicy": policy}});
    assert_eq!(delay_and_grace(json!({})), ("10s".to_owned(), 80));
    assert_eq!(delay_and_grace(json!({"exposure": service("Cluster")})), ("10s".to_owned(), 80));
    assert_eq!(delay_and_grace(json!({"exposure": service("Local")})), ("45s".to_owned(), 115));
    let declared = json!({"exposure": service("Local"), "deployment": {"drainDelay": "2m"}});
    assert_eq!(delay_and_grace(declared), ("120s".to_owned(), 190));
}

#[test]
fn pods_are_probed_where_people_are_not() {
    let container = pod(json!({}))["containers"][0].clone();
    assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/readyz", "port": "metrics", "scheme": "HTTP"}));
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/livez");
    assert_eq!(container["ports"][1], json!({"name": "metrics", "containerPort": 9090, "protocol": "TCP"}));
}

#[test]
fn pods_are_spread_over_zones_and_nodes_as_strictly_as_asked() {
    let constraints = pod(json!({}))["topologySpreadConstraints"].clone();
    let keys: Vec<&str> = constraints.as_array().unwrap().iter().map(|c| c["topologyKey"].as_str().unwrap()).collect();
    assert_eq!(keys, ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]);
    assert_eq!(constraints[0]["whenUnsatisfiable"], "ScheduleAnyway");
    let strict = json!({"deployment": {"topologySpread": {"keys": ["rack"], "required": true}}});
    let constraints = pod(strict)["topologySpreadConstraints"].clone();
    assert_eq!(
        (&constraints[0]["topologyKey"], &constraints[0]["whenUnsatisfiable"]),
        (&json!("rack"), &json!("DoNotSchedule"))
    );
}

#[test]
fn hpa_keeps_its_replicas() {
    let fixed = json!({"deployment": {"replicas": 4}});
    assert_eq!(built(fixed, Kind::Deployment)["spec"]["replicas"], 4);
    let scaled = json!({"deployment": {"replicas": 4, "autoscaling": {"minReplicas": 2, "maxReplicas": 9}}});
    assert!(built(scaled.clone(), Kind::Deployment)["spec"].get("replicas").is_none());
    let autoscaler = built(scaled, Kind::HorizontalPodAutoscaler);
    assert_eq!((&autoscaler["spec"]["minReplicas"], &autoscaler["spec"]["maxReplicas"]), (&json!(2), &json!(9)));
    assert_eq!(
        autoscaler["spec"]["scaleTargetRef"],
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "login"})
    );
}

#[test]
fn pods_speak_tls_themselves_when_a_certificate_is_declared() {
    let tls = json!({"exposure": {"tls": {"secretName": "login-tls"}}});
    let pod = pod(tls.clone());
    let arguments = pod["containers"][0]["args"].as_array().unwrap().clone();
    assert!(arguments.contains(&json!("--tls-cert=/etc/vouch/tls/tls.crt")));
    assert_eq!(pod["volumes"][0]["secret"]["secretName"], "login-tls");
    assert_eq!(pod["volumes"][0]["secret"]["optional"], false);
    let port = built(tls, Kind::Service)["spec"]["ports"][0].clone();
    assert_eq!(port, json!({"name": "https", "port": 443, "protocol": "TCP", "targetPort": "https"}));
    let plain = built(json!({}), Kind::Service)["spec"]["ports"][0].clone();
    assert_eq!(plain, json!({"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}));
}

#[test]
fn cert_manager_is_asked_for_the_host_of_the_url() {
    let changes = json!({"exposure": {"tls": {
        "secretName": "login-tls", "certManager": {"issuerRef": {"name": "ca", "kind": "ClusterIssuer"}},
    }}});
    let certificate = built(changes.clone(), Kind::Certificate);
    assert_eq!(certificate["spec"]["dnsNames"], json!(["vouch.example.com"]));
    assert_eq!(
        certificate["spec"]["issuerRef"],
        json!({"name": "ca", "kind": "ClusterIssuer", "group": "cert-manager.io"})
    );
    let without = build(&issuer(changes), &OptionalApis::default()).unwrap();
    assert_eq!(find(&without, Kind::Certificate, "login"), None, "the cluster cannot have it");
}

#[test]
fn routes_lead_to_the_path_of_the_url_and_nowhere_else() {
    let changes = json!({
        "url": "https://id.example.com/vouch",
        "exposure": {"ingress": {"className": "nginx"}, "gateway": {"name": "edge", "namespace": "infra"}},
    });
    let ingress = built(changes.clone(), Kind::Ingress);
    assert_eq!(ingress["spec"]["rules"][0]["host"], "id.example.com");
    assert_eq!(ingress["spec"]["rules"][0]["http"]["paths"][0]["path"], "/vouch");
    assert_eq!(ingress["spec"]["tls"], json!([{"hosts": ["id.example.com"]}]));
    let route = built(changes, Kind::HttpRoute);
    assert_eq!(route["spec"]["parentRefs"][0]["namespace"], "infra");
    assert!(route["spec"]["parentRefs"][0].get("sectionName").is_none(), "nothing is null");
    assert_eq!(route["spec"]["rules"][0]["matches"][0]["path"]["value"], "/vouch");
    assert_eq!(built(json!({}), Kind::Ingress), Value::Null);
}

#[test]
fn the_private_port_is_open_to_metrics_readers_only() {
    let rules = built(json!({}), Kind::NetworkPolicy)["spec"]["ingress"].clone();
    assert_eq!(rules[0], json!({"ports": [{"port": 8443, "protocol": "TCP"}]}));
    assert_eq!(rules[1]["from"], json!([{"namespaceSelector": {}}]));
    let named = json!({"exposure": {"networkPolicy": {"metricsNamespaces": ["monitoring"]}}});
    let rules = built(named, Kind::NetworkPolicy)["spec"]["ingress"].clone();
    assert_eq!(
        rules[1]["from"],
        json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}])
    );
    assert_eq!(built(json!({"exposure": {"networkPolicy": {"enabled": false}}}), Kind::NetworkPolicy), Value::Null);
}

#[test]
fn pods_read_their_own_secrets_and_write_only_the_status_of_people() {
    let roots = json!({"authenticators": {"policy": "Attested", "attestationRoots": {"configMapRef": {"name": "roots", "key": "pem"}}}});
    let role = built(roots, Kind::Role);
    let rules = role["rules"].as_array().unwrap();
    let reads = [json!(["list", "watch"]), json!(["get"])];
    for rule in rules.iter().filter(|rule| !reads.contains(&rule["verbs"])) {
        assert_eq!((&rule["resources"], &rule["verbs"]), (&json!(["vouchusers/status"]), &json!(["patch"])));
    }
    let names = |resource: &str| {
        let rule = rules.iter().find(|rule| rule["resources"] == json!([resource])).unwrap();
        rule["resourceNames"].clone()
    };
    assert_eq!(names("secrets"), json!(["login-signing-keys", "login-root-secret"]));
    assert_eq!(names("configmaps"), json!(["roots"]));
    assert_eq!(names("vouchissuers"), json!(["login"]));
}

#[test]
fn metrics_are_scraped_from_every_pod() {
    let objects = build(&issuer(json!({})), &every_api()).unwrap();
    let service = find(&objects, Kind::Service, "login-metrics").unwrap();
    assert_eq!(
        (&service["spec"]["clusterIP"], &service["spec"]["publishNotReadyAddresses"]),
        (&json!("None"), &json!(true))
    );
    let monitor = find(&objects, Kind::ServiceMonitor, "login").unwrap();
    let wanted = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
    assert!(wanted.iter().all(|(key, value)| service["metadata"]["labels"].get(key) == Some(value)));
}

#[test]
fn what_people_declare_for_pods_reaches_them() {
    let changes = json!({"deployment": {
        "image": "registry.example.com/vouch-issuer@sha256:00", "imagePullPolicy": "IfNotPresent",
        "imagePullSecrets": ["pull"], "log": "debug", "labels": {"team": "id"}, "annotations": {"mesh": "on"},
        "priorityClassName": "high", "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
        "resources": {"requests": {"ephemeral-storage": "1G"}, "limits": {"cpu": "2", "memory": "1Gi"}},
    }});
    let template = built(changes, Kind::Deployment)["spec"]["template"].clone();
    assert_eq!(template["metadata"]["labels"]["team"], "id");
    assert_eq!(template["metadata"]["annotations"], json!({"mesh": "on"}));
    let pod = &template["spec"];
    assert_eq!(pod["containers"][0]["image"], "registry.example.com/vouch-issuer@sha256:00");
    assert_eq!(pod["containers"][0]["imagePullPolicy"], "IfNotPresent");
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!((&pod["priorityClassName"], &pod["nodeSelector"]), (&json!("high"), &json!({"disk": "ssd"})));
    assert_eq!(
        pod["tolerations"],
        json!([{"key": "dedicated", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}])
    );
    assert_eq!(
        pod["containers"][0]["resources"],
        json!({"requests": {"ephemeral-storage": "1G"}, "limits": {"cpu": "2", "memory": "1Gi"}})
    );
    let log = json!({"name": "VOUCH_ISSUER_LOG", "value": "debug"});
    assert!(pod["containers"][0]["env"].as_array().unwrap().contains(&log));
}

#[test]
fn an_object_is_the_same_whenever_it_is_built() {
    let digests = |issuer: &ValidIssuer| -> Vec<Option<String>> {
        build(issuer, &every_api()).unwrap().iter().map(|object| object.digest().map(ToOwned::to_owned)).collect()
    };
    assert_eq!(digests(&issuer(json!({}))), digests(&issuer(json!({}))));
}
