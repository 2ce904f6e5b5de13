//! The pods: restricted, spread, replaced one by one without a refused request.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::{
            Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, LocalObjectReference,
            ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements,
            SeccompProfile, SecretVolumeSource, SecurityContext, Toleration, TopologySpreadConstraint, Volume,
            VolumeMount,
        },
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};
use vouch_crds::{
    issuer::{
        Amounts, ExternalTrafficPolicy, ImagePullPolicy, Resources, ServiceType, TaintEffect,
        Toleration as DeclaredToleration, TolerationOperator,
    },
    names::port,
};
use vouch_issuer::{command::env, http::private};

use super::{ValidIssuer, pod_labels, pod_selector, public_port, unless_empty};

/// How long a pod goes on accepting connections after it was told to stop: until every node and Ingress knows.
pub(super) const DRAIN_DELAY: Duration = Duration::from_secs(10);
/// The same where a load balancer must notice that a node has no pod any more: clouds ask a node every 5 to 10 seconds and
/// believe the third answer.
pub(super) const BALANCED_DRAIN_DELAY: Duration = Duration::from_secs(45);
/// How long the requests in flight may take then. An agent's watch, the longest, is held for up to 55 seconds.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);
/// For everything else that a pod does when it stops.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// Where the certificate is mounted.
const TLS_DIRECTORY: &str = "/etc/vouch/tls";
const TLS_VOLUME: &str = "tls";
/// The user and the group of the image; it has no other.
const NOBODY: i64 = 65532;

pub(super) fn deployment(issuer: &ValidIssuer) -> Deployment {
    let declared = &issuer.spec().deployment;
    let spec = DeploymentSpec {
        // With an autoscaler it is the autoscaler's.
        replicas: declared.autoscaling.is_none().then(|| i32::try_from(declared.replicas).unwrap_or(i32::MAX)),
        selector: pod_selector(issuer),
        strategy: Some(DeploymentStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: Some(IntOrString::Int(1)),
                max_unavailable: Some(IntOrString::Int(0)),
            }),
        }),
        revision_history_limit: Some(3),
        progress_deadline_seconds: Some(300),
        template: PodTemplateSpec { metadata: Some(pod_metadata(issuer)), spec: Some(pod(issuer)) },
        ..DeploymentSpec::default()
    };
    Deployment { spec: Some(spec), ..Deployment::default() }
}

fn drain_delay(issuer: &ValidIssuer) -> Duration {
    let service = &issuer.spec().exposure.service;
    let by_node =
        service.type_ == ServiceType::LoadBalancer && service.external_traffic_policy == ExternalTrafficPolicy::Local;
    let usual = if by_node { BALANCED_DRAIN_DELAY } else { DRAIN_DELAY };
    issuer.spec().deployment.drain_delay.map_or(usual, Duration::from)
}

/// After that the kubelet kills the pod.
fn grace_period(issuer: &ValidIssuer) -> Duration {
    drain_delay(issuer) + DRAIN_TIMEOUT + STOP_MARGIN
}

fn pod_metadata(issuer: &ValidIssuer) -> ObjectMeta {
    let declared = &issuer.spec().deployment;
    let mut labels = declared.labels.clone();
    labels.extend(pod_labels(issuer));
    ObjectMeta { labels: Some(labels), annotations: unless_empty(&declared.annotations), ..ObjectMeta::default() }
}

fn pod(issuer: &ValidIssuer) -> PodSpec {
    let declared = &issuer.spec().deployment;
    let secrets = declared.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() });
    let secrets: Vec<_> = secrets.collect();
    PodSpec {
        service_account_name: Some(issuer.name().to_owned()),
        automount_service_account_token: Some(true),
        enable_service_links: Some(false),
        termination_grace_period_seconds: i64::try_from(grace_period(issuer).as_secs()).ok(),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(NOBODY),
            run_as_group: Some(NOBODY),
            fs_group: Some(NOBODY),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(issuer)],
        volumes: tls_volume(issuer).map(|volume| vec![volume]),
        topology_spread_constraints: spread(issuer),
        node_selector: unless_empty(&declared.node_selector),
        tolerations: (!declared.tolerations.is_empty()).then(|| declared.tolerations.iter().map(toleration).collect()),
        priority_class_name: declared.priority_class_name.clone(),
        image_pull_secrets: (!secrets.is_empty()).then_some(secrets),
        ..PodSpec::default()
    }
}

fn container(issuer: &ValidIssuer) -> Container {
    let declared = &issuer.spec().deployment;
    let pull_policy = declared.image_pull_policy.map(|policy| match policy {
        ImagePullPolicy::Always => "Always",
        ImagePullPolicy::IfNotPresent => "IfNotPresent",
        ImagePullPolicy::Never => "Never",
    });
    Container {
        name: "issuer".to_owned(),
        image: Some(issuer.image().to_owned()),
        image_pull_policy: pull_policy.map(ToOwned::to_owned),
        args: Some(arguments(issuer)),
        env: Some(environment(issuer)),
        ports: Some(vec![
            container_port(public_port(issuer).0, port::PUBLIC),
            container_port(port::METRICS, port::PRIVATE),
        ]),
        // A pod is sent requests within a second of being ready, and none within three of not being.
        readiness_probe: Some(Probe { period_seconds: Some(1), ..probe(private::READYZ) }),
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            initial_delay_seconds: Some(5),
            ..probe(private::LIVEZ)
        }),
        resources: Some(resources(&declared.resources.clone().unwrap_or_else(default_resources))),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        volume_mounts: tls_volume(issuer).map(|volume| {
            vec![VolumeMount {
                name: volume.name,
                mount_path: TLS_DIRECTORY.to_owned(),
                read_only: Some(true),
                ..VolumeMount::default()
            }]
        }),
        ..Container::default()
    }
}

fn arguments(issuer: &ValidIssuer) -> Vec<String> {
    let mut arguments = vec![
        "serve".to_owned(),
        format!("--issuer={}", issuer.name()),
        format!("--listen=0.0.0.0:{}", port::PUBLIC),
        format!("--private-listen=0.0.0.0:{}", port::PRIVATE),
        format!("--drain-delay={}s", drain_delay(issuer).as_secs()),
        format!("--drain-timeout={}s", DRAIN_TIMEOUT.as_secs()),
    ];
    if issuer.spec().exposure.tls.is_some() {
        arguments.push(format!("--tls-cert={TLS_DIRECTORY}/tls.crt"));
        arguments.push(format!("--tls-key={TLS_DIRECTORY}/tls.key"));
    }
    arguments
}

fn environment(issuer: &ValidIssuer) -> Vec<EnvVar> {
    let field = |path: &str| EnvVarSource {
        field_ref: Some(ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: path.to_owned() }),
        ..EnvVarSource::default()
    };
    let mut environment = vec![
        EnvVar { name: "POD_NAME".to_owned(), value: None, value_from: Some(field("metadata.name")) },
        EnvVar { name: "POD_NAMESPACE".to_owned(), value: None, value_from: Some(field("metadata.namespace")) },
        EnvVar { name: env::LOG_FORMAT.to_owned(), value: Some("json".to_owned()), value_from: None },
    ];
    if let Some(log) = &issuer.spec().deployment.log {
        environment.push(EnvVar { name: env::LOG.to_owned(), value: Some(log.clone()), value_from: None });
    }
    environment
}

fn container_port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port::METRICS.to_owned()),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        timeout_seconds: Some(2),
        failure_threshold: Some(3),
        ..Probe::default()
    }
}

/// The Secret must be there before a pod starts, so that none ever serves without TLS. The kubelet brings changes into
/// the mounted directory, and the pod reads them.
fn tls_volume(issuer: &ValidIssuer) -> Option<Volume> {
    let tls = issuer.spec().exposure.tls.as_ref()?;
    Some(Volume {
        name: TLS_VOLUME.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(tls.secret_name.clone()),
            default_mode: Some(0o440),
            optional: Some(false),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    })
}

fn spread(issuer: &ValidIssuer) -> Option<Vec<TopologySpreadConstraint>> {
    let declared = &issuer.spec().deployment.topology_spread;
    let otherwise = if declared.required { "DoNotSchedule" } else { "ScheduleAnyway" };
    let constraint = |key: &String| TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.clone(),
        when_unsatisfiable: otherwise.to_owned(),
        label_selector: Some(pod_selector(issuer)),
        // Only the pods of one version are counted: during a rollout the old ones are about to go.
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    };
    let constraints: Vec<_> = declared.keys.iter().map(constraint).collect();
    (!constraints.is_empty()).then_some(constraints)
}

fn toleration(declared: &DeclaredToleration) -> Toleration {
    let operator = match declared.operator {
        TolerationOperator::Equal => "Equal",
        TolerationOperator::Exists => "Exists",
    };
    let effect = declared.effect.map(|effect| match effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    });
    Toleration {
        key: declared.key.clone(),
        operator: Some(operator.to_owned()),
        value: declared.value.clone(),
        effect: effect.map(ToOwned::to_owned),
        toleration_seconds: declared.toleration_seconds,
    }
}

fn resources(declared: &Resources) -> ResourceRequirements {
    let [requests, limits] = [&declared.requests, &declared.limits].map(|amounts| quantities(amounts.as_ref()?));
    ResourceRequirements { requests, limits, ..ResourceRequirements::default() }
}

/// What is empty is not applied, so that it is nobody's.
fn quantities(declared: &Amounts) -> Option<BTreeMap<String, Quantity>> {
    let Amounts { cpu, memory, ephemeral_storage } = declared;
    let named = [("cpu", cpu), ("memory", memory), ("ephemeral-storage", ephemeral_storage)];
    let given = named.into_iter().filter_map(|(name, amount)| Some((name.to_owned(), amount.clone()?)));
    Some(given.collect::<BTreeMap<_, _>>()).filter(|given| !given.is_empty())
}

/// Enough for a few thousand people; the autoscaler needs a request to measure against.
fn default_resources() -> Resources {
    let memory = |amount: &str| Amounts { memory: Some(Quantity(amount.to_owned())), ..Amounts::default() };
    Resources {
        requests: Some(Amounts { cpu: Some(Quantity("100m".to_owned())), ..memory("64Mi") }),
        limits: Some(memory("512Mi")),
    }
}
