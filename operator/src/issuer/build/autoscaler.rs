//! How many pods there are, when load decides.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
    ResourceMetricSource,
};

use super::ValidIssuer;

pub(super) fn autoscaler(issuer: &ValidIssuer) -> Option<HorizontalPodAutoscaler> {
    let autoscaling = issuer.spec().deployment.autoscaling.as_ref()?;
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let spec = HorizontalPodAutoscalerSpec {
        scale_target_ref: CrossVersionObjectReference {
            api_version: Some("apps/v1".to_owned()),
            kind: "Deployment".to_owned(),
            name: issuer.name().to_owned(),
        },
        min_replicas: Some(count(autoscaling.min_replicas)),
        max_replicas: count(autoscaling.max_replicas),
        metrics: Some(vec![MetricSpec {
            type_: "Resource".to_owned(),
            resource: Some(ResourceMetricSource {
                name: "cpu".to_owned(),
                target: MetricTarget {
                    type_: "Utilization".to_owned(),
                    average_utilization: Some(count(autoscaling.target_cpu_percent)),
                    ..MetricTarget::default()
                },
            }),
            ..MetricSpec::default()
        }]),
        ..HorizontalPodAutoscalerSpec::default()
    };
    Some(HorizontalPodAutoscaler { spec, ..HorizontalPodAutoscaler::default() })
}
