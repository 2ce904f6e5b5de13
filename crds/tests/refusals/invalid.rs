//! For each rule, what only it forbids.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A spec in which everything is right, and which has a first element of every list.
pub(crate) fn valid_spec(kind: &str) -> Value {
    match kind {
        "VouchIssuer" => issuer(),
        "AwsFederation" => federation(),
        "VouchUser" => json!({"email": "alice@example.com", "groups": ["release"]}),
        "OidcClient" => json!({
            "issuerRef": {"name": "vouch"},
            "displayName": "App",
            "redirectUris": ["https://app.example.com/callback"],
            "scopes": ["openid"],
            "secretRef": {"name": "app", "key": "secret"},
        }),
        other => panic!("{other} needs a spec in which everything is right"),
    }
}

fn issuer() -> Value {
    json!({
        "url": "https://vouch.example.com",
        "organization": {"name": "Example", "emailDomains": ["example.com"]},
        "session": {"lifetime": "8h"},
        "signingKeys": {
            "algorithms": ["ES256"],
            "jwksMaxAge": "5m", "publishLead": "24h", "retainRetired": "24h", "rotationPeriod": "30d",
        },
        "authenticators": {
            "policy": "Attested",
            "allowedAaguids": ["2fc0579f-8113-47ea-b116-bb5a8db9202a"],
            "attestationRoots": {"configMapRef": {"name": "roots", "key": "roots.pem"}},
        },
        "aws": {"tokenLifetime": "1m"},
        "enrollment": {"inviteLifetime": "3d"},
        "http": {"trustedProxies": ["10.0.0.0/8"]},
        "deployment": {
            "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
            "imagePullSecrets": ["pull"],
            "topologySpread": {"keys": ["kubernetes.io/hostname"]},
            "resources": {
                "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "1G"},
                "limits": {"cpu": "0.1", "memory": "0.125Gi", "ephemeral-storage": 1_000_000_000},
            },
            "labels": {"team": "Identity", "example.com/cost": ""},
            "annotations": {"Example.com/team": "Identity"},
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "dedicated", "value": "vouch", "effect": "NoSchedule"}],
        },
        "exposure": {
            "tls": {"secretName": "vouch-tls", "certManager": {"issuerRef": {"name": "ca"}}},
            "ingress": {"tlsSecretName": "vouch-tls", "className": "nginx"},
            "gateway": {"name": "gateway", "namespace": "infra", "sectionName": "https"},
            "service": {"type": "LoadBalancer", "loadBalancerClass": "example.com/internal"},
            "networkPolicy": {"metricsNamespaces": ["monitoring"]},
        },
        "store": {"kind": "Postgres", "secretRef": {"name": "database", "key": "url"}},
    })
}

fn federation() -> Value {
    let allow = json!({"domains": ["example.com"], "emails": ["alice@example.com"], "groups": ["release"]});
    let targets = json!({"accounts": ["111111111111"], "organizationalUnits": ["ou-abcd-12345678"]});
    let read_only = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    json!({
        "issuerRef": {"name": "vouch"},
        "account": "999999999999",
        "partition": "aws",
        "assumeRoleArn": "arn:aws:iam::999999999999:role/Vouch",
        "provider": {"clientIds": ["https://vouch.example.com"], "thumbprints": ["ab".repeat(20)]},
        "guardrails": {"deploymentPrincipals": ["arn:aws:iam::*:role/Deployment"], "targets": targets},
        "hub": {"name": "VouchHub", "path": "/", "allow": allow, "permissionsBoundary": read_only},
        "roles": [{
            "name": "VouchDeveloper", "path": "/", "allow": allow, "managedPolicyArns": [read_only],
            "permissionsBoundary": read_only, "maxSessionDuration": "1h",
        }],
        "spokes": [{
            "name": "VouchAccess", "path": "/", "allow": allow, "managedPolicyArns": [read_only],
            "permissionsBoundary": read_only, "targets": targets,
            "overrides": [{"accounts": ["111111111111"], "managedPolicyArns": [read_only]}],
        }],
    })
}

/// By kind and place: for each rule of the place, in their order, what to change there.
pub(crate) fn values() -> BTreeMap<&'static str, Vec<Value>> {
    [of_issuers(), of_federations(), of_people_and_applications()].concat().into_iter().collect()
}

type Values = Vec<(&'static str, Vec<Value>)>;

fn of_issuers() -> Values {
    let not_a_duration = json!("as long as a shift lasts");
    vec![
        ("VouchIssuer", vec![json!({"metadata": {"name": "1-is-no-letter"}})]),
        ("VouchIssuer.spec", vec![json!({"session": {"lifetime": "24h"}, "signingKeys": {"retainRetired": "24h"}})]),
        (
            "VouchIssuer.spec.authenticators",
            vec![
                json!({"attestationRoots": null}),
                json!({"policy": "Any", "allowedAaguids": null}),
                json!({"policy": "Any", "attestationRoots": null}),
            ],
        ),
        ("VouchIssuer.spec.authenticators.allowedAaguids[]", vec![json!("2FC0579F-8113-47EA-B116-BB5A8DB9202A")]),
        ("VouchIssuer.spec.authenticators.attestationRoots", vec![json!({"pem": "roots"})]),
        ("VouchIssuer.spec.authenticators.attestationRoots.configMapRef.key", vec![json!("roots/pem")]),
        ("VouchIssuer.spec.authenticators.attestationRoots.configMapRef.name", vec![json!("Roots")]),
        ("VouchIssuer.spec.aws.tokenLifetime", vec![not_a_duration.clone(), json!("6m")]),
        ("VouchIssuer.spec.deployment.annotations", vec![json!({"the team": "Identity"})]),
        ("VouchIssuer.spec.deployment.autoscaling", vec![json!({"minReplicas": 5})]),
        ("VouchIssuer.spec.deployment.drainDelay", vec![not_a_duration.clone(), json!("11m")]),
        (
            "VouchIssuer.spec.deployment.image",
            vec![json!("registry.example.com/vouch issuer"), json!("https://registry.example.com/vouch-issuer")],
        ),
        ("VouchIssuer.spec.deployment.imagePullSecrets[]", vec![json!("Pull")]),
        (
            "VouchIssuer.spec.deployment.labels",
            vec![json!({"a/b/c": "Identity"}), json!({"team": "Identity and access"})],
        ),
        (
            "VouchIssuer.spec.deployment.nodeSelector",
            vec![json!({format!("{}/os", "a".repeat(254)): "linux"}), json!({"kubernetes.io/os": "-linux"})],
        ),
        ("VouchIssuer.spec.deployment.priorityClassName", vec![json!("High")]),
        (
            "VouchIssuer.spec.deployment.resources",
            vec![
                json!({"requests": {"cpu": "101m"}}),
                json!({"requests": {"memory": 134_217_729}}),
                json!({"limits": {"ephemeral-storage": 999_999_999}}),
            ],
        ),
        ("VouchIssuer.spec.deployment.resources.limits.cpu", vec![json!("-1")]),
        ("VouchIssuer.spec.deployment.resources.limits.ephemeral-storage", vec![json!("1 GB")]),
        ("VouchIssuer.spec.deployment.resources.limits.memory", vec![json!("64MB")]),
        ("VouchIssuer.spec.deployment.resources.requests.cpu", vec![json!(-1)]),
        ("VouchIssuer.spec.deployment.resources.requests.ephemeral-storage", vec![json!("1e300")]),
        ("VouchIssuer.spec.deployment.resources.requests.memory", vec![json!("")]),
        (
            "VouchIssuer.spec.deployment.tolerations[]",
            vec![json!({"key": null}), json!({"operator": "Exists"}), json!({"tolerationSeconds": 60})],
        ),
        ("VouchIssuer.spec.deployment.tolerations[].key", vec![json!("-")]),
        ("VouchIssuer.spec.deployment.tolerations[].value", vec![json!("*")]),
        ("VouchIssuer.spec.deployment.topologySpread.keys[]", vec![json!("kubernetes.io/host name")]),
        ("VouchIssuer.spec.enrollment.inviteLifetime", vec![not_a_duration.clone(), json!("31d")]),
        ("VouchIssuer.spec.exposure.gateway.name", vec![json!("Gateway")]),
        ("VouchIssuer.spec.exposure.gateway.namespace", vec![json!("infra.example")]),
        ("VouchIssuer.spec.exposure.gateway.sectionName", vec![json!("HTTPS")]),
        ("VouchIssuer.spec.exposure.ingress", vec![json!({"annotations": {"kubernetes.io/ingress.class": "nginx"}})]),
        ("VouchIssuer.spec.exposure.ingress.annotations", vec![json!({"-": "on"})]),
        ("VouchIssuer.spec.exposure.ingress.className", vec![json!("nginx..internal")]),
        ("VouchIssuer.spec.exposure.ingress.tlsSecretName", vec![json!("vouch_tls")]),
        ("VouchIssuer.spec.exposure.networkPolicy.metricsNamespaces[]", vec![json!("Monitoring")]),
        (
            "VouchIssuer.spec.exposure.service",
            vec![
                json!({"type": "ClusterIP"}),
                json!({"type": "ClusterIP", "loadBalancerClass": null, "externalTrafficPolicy": "Local"}),
                json!({"loadBalancerClass": null}),
            ],
        ),
        ("VouchIssuer.spec.exposure.service.annotations", vec![json!({"cloud/": "internal"})]),
        ("VouchIssuer.spec.exposure.service.loadBalancerClass", vec![json!("internal balancer")]),
        ("VouchIssuer.spec.exposure.tls.certManager.issuerRef.name", vec![json!("CA")]),
        ("VouchIssuer.spec.exposure.tls.secretName", vec![json!("vouch_tls")]),
        ("VouchIssuer.spec.http.trustedProxies[]", vec![json!("10.0.0.1")]),
        ("VouchIssuer.spec.organization.emailDomains", vec![json!([])]),
        ("VouchIssuer.spec.organization.emailDomains[]", vec![json!("Example.com")]),
        ("VouchIssuer.spec.organization.name", vec![json!(" Example")]),
        ("VouchIssuer.spec.session.lifetime", vec![not_a_duration.clone(), json!("4m")]),
        (
            "VouchIssuer.spec.signingKeys",
            vec![json!({"publishLead": "30m", "jwksMaxAge": "30m"}), json!({"rotationPeriod": "47h"})],
        ),
        ("VouchIssuer.spec.signingKeys.algorithms", vec![json!(["RS256"])]),
        ("VouchIssuer.spec.signingKeys.jwksMaxAge", vec![not_a_duration.clone(), json!("2h")]),
        ("VouchIssuer.spec.signingKeys.publishLead", vec![not_a_duration.clone(), json!("14m")]),
        ("VouchIssuer.spec.signingKeys.retainRetired", vec![not_a_duration.clone()]),
        ("VouchIssuer.spec.signingKeys.rotationPeriod", vec![not_a_duration]),
        ("VouchIssuer.spec.store", vec![json!({"secretRef": null})]),
        ("VouchIssuer.spec.store.secretRef.key", vec![json!("the url")]),
        ("VouchIssuer.spec.store.secretRef.name", vec![json!("Database")]),
        (
            "VouchIssuer.spec.url",
            vec![
                json!("http://vouch.example.com"),
                json!("https://vouch.example.com?a=b"),
                json!("https://vouch.example.com#a"),
                json!("https:///a"),
                json!("https://vouch.example.com/"),
                json!("https://192.0.2.1"),
                json!("https://alice:secret@vouch.example.com"),
                json!("https://Vouch.example.com"),
                json!("https://vouch.example.com:8443"),
                json!("https://vouch_1.example.com"),
                json!("https://vouch.example.com/a/../b"),
                json!("https://id.example.com"),
            ],
        ),
    ]
}

fn of_federations() -> Values {
    let not_an_account = json!("9999-9999-9999");
    let not_a_policy = json!("ReadOnlyAccess");
    let not_a_unit = json!("ou-1");
    let too_long = json!({"path": format!("/{}/", "vouch".repeat(12))});
    let nobody = json!({"domains": [], "emails": [], "groups": []});
    let nowhere = json!({"accounts": [], "organizationalUnits": []});
    vec![
        (
            "AwsFederation.spec",
            vec![
                json!({"hub": null}),
                json!({"hub": null, "roles": [], "spokes": []}),
                json!({"hub": {"name": "VouchDeveloper"}}),
            ],
        ),
        ("AwsFederation.spec.account", vec![not_an_account.clone(), json!("111111111111")]),
        ("AwsFederation.spec.assumeRoleArn", vec![json!("arn:aws:iam::999999999999:user/alice")]),
        ("AwsFederation.spec.guardrails.deploymentPrincipals", vec![json!([])]),
        ("AwsFederation.spec.guardrails.deploymentPrincipals[]", vec![json!("Deployment")]),
        ("AwsFederation.spec.guardrails.targets", vec![nowhere.clone()]),
        ("AwsFederation.spec.guardrails.targets.accounts[]", vec![not_an_account.clone()]),
        ("AwsFederation.spec.guardrails.targets.organizationalUnits[]", vec![not_a_unit.clone()]),
        ("AwsFederation.spec.hub", vec![too_long.clone()]),
        ("AwsFederation.spec.hub.allow", vec![nobody.clone()]),
        ("AwsFederation.spec.hub.allow.domains[]", vec![json!("example")]),
        ("AwsFederation.spec.hub.allow.emails[]", vec![json!("alice@Example.com")]),
        ("AwsFederation.spec.hub.allow.groups[]", vec![json!("-release")]),
        ("AwsFederation.spec.hub.name", vec![json!("Vouch Access")]),
        ("AwsFederation.spec.hub.path", vec![json!("/vouch")]),
        ("AwsFederation.spec.hub.permissionsBoundary", vec![not_a_policy.clone()]),
        ("AwsFederation.spec.issuerRef.name", vec![json!("Vouch")]),
        ("AwsFederation.spec.partition", vec![json!("aws-cn")]),
        ("AwsFederation.spec.provider.clientIds[]", vec![json!("an audience")]),
        ("AwsFederation.spec.provider.thumbprints[]", vec![json!("AB:".repeat(32))]),
        ("AwsFederation.spec.roles[]", vec![too_long.clone()]),
        ("AwsFederation.spec.roles[].allow", vec![nobody.clone()]),
        ("AwsFederation.spec.roles[].allow.domains[]", vec![json!("example..com")]),
        ("AwsFederation.spec.roles[].allow.emails[]", vec![json!("alice!@example.com")]),
        ("AwsFederation.spec.roles[].allow.groups[]", vec![json!("the releasers")]),
        ("AwsFederation.spec.roles[].managedPolicyArns[]", vec![not_a_policy.clone()]),
        ("AwsFederation.spec.roles[].maxSessionDuration", vec![json!("a day"), json!("30m")]),
        ("AwsFederation.spec.roles[].name", vec![json!("path/VouchDeveloper")]),
        ("AwsFederation.spec.roles[].path", vec![json!("vouch/")]),
        ("AwsFederation.spec.roles[].permissionsBoundary", vec![not_a_policy.clone()]),
        (
            "AwsFederation.spec.spokes[]",
            vec![
                too_long,
                json!({"delivery": "Direct"}),
                json!({"targets": {"organizationalUnits": []}, "overrides": [{"accounts": ["222222222222"]}]}),
            ],
        ),
        ("AwsFederation.spec.spokes[].allow", vec![nobody]),
        ("AwsFederation.spec.spokes[].allow.domains[]", vec![json!("*.example.com")]),
        ("AwsFederation.spec.spokes[].allow.emails[]", vec![json!("alice")]),
        ("AwsFederation.spec.spokes[].allow.groups[]", vec![json!("*")]),
        ("AwsFederation.spec.spokes[].managedPolicyArns[]", vec![not_a_policy.clone()]),
        ("AwsFederation.spec.spokes[].name", vec![json!("Vouch:Access")]),
        ("AwsFederation.spec.spokes[].overrides[].accounts", vec![json!([])]),
        ("AwsFederation.spec.spokes[].overrides[].accounts[]", vec![not_an_account.clone()]),
        ("AwsFederation.spec.spokes[].overrides[].managedPolicyArns[]", vec![not_a_policy.clone()]),
        ("AwsFederation.spec.spokes[].path", vec![json!("//")]),
        ("AwsFederation.spec.spokes[].permissionsBoundary", vec![not_a_policy]),
        ("AwsFederation.spec.spokes[].targets", vec![nowhere]),
        ("AwsFederation.spec.spokes[].targets.accounts[]", vec![not_an_account]),
        ("AwsFederation.spec.spokes[].targets.organizationalUnits[]", vec![not_a_unit]),
    ]
}

fn of_people_and_applications() -> Values {
    vec![
        ("VouchUser.spec.email", vec![json!("Alice@example.com"), json!("bob@example.com")]),
        ("VouchUser.spec.groups[]", vec![json!("re lease")]),
        ("OidcClient.spec", vec![json!({"public": true})]),
        ("OidcClient.spec.displayName", vec![json!("App\u{7}")]),
        ("OidcClient.spec.issuerRef.name", vec![json!("Vouch")]),
        ("OidcClient.spec.redirectUris", vec![json!([])]),
        ("OidcClient.spec.redirectUris[]", vec![json!("http://app.example.com/callback")]),
        ("OidcClient.spec.scopes", vec![json!(["email"])]),
        ("OidcClient.spec.secretRef.key", vec![json!("the secret")]),
        ("OidcClient.spec.secretRef.name", vec![json!("App")]),
    ]
}
