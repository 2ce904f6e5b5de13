//! Which service, region and partition a host name stands for.
//!
//! The names are AWS's real ones, so that clients run unmodified (AWS General Reference, "AWS STS endpoints" and
//! "IAM endpoints").

use serde::Serialize;

/// A group of regions with its own accounts, credentials and ARNs; nothing crosses from one into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub enum Partition {
    /// The commercial regions.
    #[serde(rename = "aws")]
    Aws,
    /// The regions in China.
    #[serde(rename = "aws-cn")]
    China,
    /// AWS GovCloud (US).
    #[serde(rename = "aws-us-gov")]
    GovCloud,
}

impl Partition {
    /// The second field of an ARN.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
        }
    }

    /// The partition that an ARN's second field names.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        [Self::Aws, Self::China, Self::GovCloud].into_iter().find(|partition| partition.id() == id)
    }

    /// The partition that a region belongs to.
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        if region.starts_with("cn-") {
            Self::China
        } else if region.starts_with("us-gov-") {
            Self::GovCloud
        } else {
            Self::Aws
        }
    }

    /// The region whose credential scope IAM, a global service, expects.
    fn iam_region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::China => "cn-north-1",
            Self::GovCloud => "us-gov-west-1",
        }
    }
}

/// A service that the stand-in offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// AWS Security Token Service, API version 2011-06-15.
    Sts,
    /// AWS Identity and Access Management, API version 2010-05-08.
    Iam,
}

impl Service {
    /// The name in a credential scope and before the colon of an action.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
        }
    }

    /// The API version clients send.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Sts => "2011-06-15",
            Self::Iam => "2010-05-08",
        }
    }

    /// The XML namespace of answers.
    #[must_use]
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
        }
    }

    /// `eventSource` in the call log.
    #[must_use]
    pub fn event_source(self) -> &'static str {
        match self {
            Self::Sts => "sts.amazonaws.com",
            Self::Iam => "iam.amazonaws.com",
        }
    }
}

/// What a host name under `amazonaws.com` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The service behind the name.
    pub service: Service,
    /// The region, which is also the one a signature must be scoped to.
    pub region: String,
    /// The partition of that region.
    pub partition: Partition,
}

/// Whether a host belongs to AWS, so that the proxy ends its TLS here.
#[must_use]
pub fn is_aws_host(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|suffix| host.ends_with(suffix))
}

/// The endpoint a host names, or `None` when it is AWS's but not a service offered here.
#[must_use]
pub fn resolve(host: &str) -> Option<Endpoint> {
    let host = host.to_ascii_lowercase();
    let (labels, china) = match host.strip_suffix(".amazonaws.com.cn") {
        Some(labels) => (labels, true),
        None => (host.strip_suffix(".amazonaws.com")?, false),
    };
    let (service, region) = match labels.split_once('.') {
        Some((service, region)) => (service, Some(region)),
        None => (labels, None),
    };
    match service.strip_suffix("-fips").unwrap_or(service) {
        "sts" => sts_endpoint(region, china),
        "iam" => iam_endpoint(region, china),
        _ => None,
    }
}

fn sts_endpoint(region: Option<&str>, china: bool) -> Option<Endpoint> {
    let region = region.unwrap_or("us-east-1");
    let partition = Partition::of_region(region);
    let known = !region.is_empty() && !region.contains('.') && (partition == Partition::China) == china;
    known.then(|| Endpoint { service: Service::Sts, region: region.to_owned(), partition })
}

fn iam_endpoint(region: Option<&str>, china: bool) -> Option<Endpoint> {
    let partition = match (region, china) {
        (None, false) => Partition::Aws,
        (Some("us-gov"), false) => Partition::GovCloud,
        (Some("cn-north-1"), true) => Partition::China,
        _ => return None,
    };
    Some(Endpoint { service: Service::Iam, region: partition.iam_region().to_owned(), partition })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Partition, Service, is_aws_host, resolve};

    #[test]
    fn knows_the_endpoints_of_three_partitions() {
        let rows = [
            ("sts.amazonaws.com", Service::Sts, "us-east-1", Partition::Aws),
            ("sts.us-east-1.amazonaws.com", Service::Sts, "us-east-1", Partition::Aws),
            ("STS.eu-west-1.amazonaws.com", Service::Sts, "eu-west-1", Partition::Aws),
            ("sts-fips.us-east-2.amazonaws.com", Service::Sts, "us-east-2", Partition::Aws),
            ("sts.cn-north-1.amazonaws.com.cn", Service::Sts, "cn-north-1", Partition::China),
            ("sts.us-gov-west-1.amazonaws.com", Service::Sts, "us-gov-west-1", Partition::GovCloud),
            ("iam.amazonaws.com", Service::Iam, "us-east-1", Partition::Aws),
            ("iam.cn-north-1.amazonaws.com.cn", Service::Iam, "cn-north-1", Partition::China),
            ("iam.us-gov.amazonaws.com", Service::Iam, "us-gov-west-1", Partition::GovCloud),
        ];
        for (host, service, region, partition) in rows {
            let endpoint = resolve(host).unwrap();
            assert_eq!(
                (endpoint.service, endpoint.region.as_str(), endpoint.partition),
                (service, region, partition),
                "{host}"
            );
        }
    }

    #[test]
    fn does_not_mistake_other_names_for_an_endpoint() {
        for host in [
            "sts.cn-north-1.amazonaws.com",
            "sts.us-east-1.amazonaws.com.cn",
            "s3.amazonaws.com",
            "iam.eu-west-1.amazonaws.com",
        ] {
            assert_eq!(resolve(host), None, "{host}");
        }
        assert!(!is_aws_host("amazonaws.com.example.com"));
        assert!(!is_aws_host("stsamazonaws.com"));
    }
}
