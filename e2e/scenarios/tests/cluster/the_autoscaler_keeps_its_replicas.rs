//! With an autoscaler the operator never says how many pods there are, whatever else it writes.

use serde_json::json;
use vouch_crds::names::{FIELD_MANAGER, condition};
use vouch_scenarios::kubernetes::{
    self,
    site::{ISSUER, Site},
};

#[test]
fn the_autoscaler_keeps_its_replicas() {
    let (installation, _together) = kubernetes::together();
    let site = Site::start_with(installation, "autoscaled", |manifest| {
        manifest.issuer["spec"]["deployment"] = json!({"autoscaling": {"minReplicas": 2, "maxReplicas": 5}});
    });
    let autoscaler = site.object("horizontalpodautoscaler", ISSUER).expect("an autoscaler");
    assert_eq!(autoscaler["spec"]["scaleTargetRef"]["name"], ISSUER);
    // The autoscaler's own hand: it writes the scale subresource.
    let _ = site.kubectl(&["scale", "deployment", ISSUER, "--replicas=4"]).succeeded();
    site.await_pods(4);

    site.patch(&json!({"spec": {"deployment": {"annotations": {"example.com/generation": "2"}}}}));
    let deployment = ["--namespace", site.namespace(), "deployment", ISSUER];
    site.cluster().await_object("the change in the pods", &deployment, |deployment| {
        deployment["spec"]["template"]["metadata"]["annotations"]["example.com/generation"] == "2"
    });
    site.await_condition(condition::READY, "True", "AsDeclared");
    site.await_pods(4);
    let what = ["--namespace", site.namespace(), "deployment", ISSUER, "--show-managed-fields"];
    let deployment = site.cluster().get(&what).expect("a Deployment");
    assert_eq!(deployment["spec"]["replicas"], 4);
    let managers = deployment["metadata"]["managedFields"].as_array().unwrap().iter();
    let operators: Vec<_> = managers.filter(|fields| fields["manager"] == FIELD_MANAGER).collect();
    assert!(!operators.is_empty(), "the operator has written it");
    for fields in operators {
        assert!(fields["fieldsV1"]["f:spec"]["f:replicas"].is_null(), "the operator says how many: {fields:#}");
    }
}
