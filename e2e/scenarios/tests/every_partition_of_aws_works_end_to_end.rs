//! China and GovCloud are worlds of their own: ARNs, endpoints and credentials end at their borders. The audience is the
//! client id of the identity provider everywhere, and so the issuer's URL.

use serde_json::{Value, json};
use vouch_scenarios::{
    World,
    cloud::Call,
    guide::{self, DEVELOPMENT, HUB, access_role, developer_role},
    manifest::ISSUER_URL,
};

/// A partition, a region of it, and the name of that region's STS.
struct Place {
    partition: &'static str,
    region: &'static str,
    sts: &'static str,
}

const CHINA: Place =
    Place { partition: "aws-cn", region: "cn-northwest-1", sts: "sts.cn-northwest-1.amazonaws.com.cn" };
const GOVCLOUD: Place =
    Place { partition: "aws-us-gov", region: "us-gov-east-1", sts: "sts.us-gov-east-1.amazonaws.com" };

impl Place {
    /// A text of the guides with the ARNs of this partition.
    fn arns(&self, text: &str) -> String {
        text.replace("arn:aws:", &format!("arn:{}:", self.partition))
    }

    fn document(&self, policy: &Value) -> Value {
        serde_json::from_str(&self.arns(&policy.to_string())).unwrap()
    }

    /// Both guides: a provider, a role that is taken directly, a hub and a spoke.
    fn prepare(&self, world: &World) {
        for account in [HUB, DEVELOPMENT] {
            world.cloud.create_account_in(self.partition, account);
        }
        let (federated, spoke) = (self.document(&guide::federated_trust(HUB)), self.document(&guide::spoke_trust()));
        let permissions = self.document(&guide::hub_permissions()).to_string();
        let policy = json!({"RoleName": "VouchAccess", "PolicyName": "AssumeSpokes", "PolicyDocument": permissions});
        let calls = [
            guide::create_provider(HUB),
            guide::create_role(HUB, "/", "VouchDeveloper", &federated),
            guide::create_role(HUB, "/vouch/", "VouchAccess", &federated),
            Call::new(HUB, "iam", "put_role_policy", policy),
            guide::create_role(DEVELOPMENT, "/vouch/", "VouchAccess", &spoke),
        ];
        let made = world.cloud.results(&calls.map(|call| call.in_region(self.region)));
        let provider = self.arns(&guide::provider(HUB));
        assert_eq!(made[0]["OpenIDConnectProviderArn"], provider.as_str());
    }

    fn works(&self) {
        let world = World::start_with(|manifest| {
            manifest.govern(HUB, &[DEVELOPMENT]);
            let spec = &mut manifest.others[0]["spec"];
            spec["partition"] = json!(self.partition);
            spec["roles"] = json!([{"name": "VouchDeveloper", "path": "/", "allow": {"domains": ["example.com"]}}]);
        });
        self.prepare(&world);
        let (mut alice, _key) = world.signed_in("alice");
        let (direct, spoke) = (self.arns(&developer_role(HUB)), self.arns(&access_role(DEVELOPMENT)));

        let abroad = alice.vouch(&["credential", "aws", "--role", &direct]);
        let abroad = abroad.failed(6, "AWS_REGION us-east-1 is in partition aws, but role");
        assert!(abroad.stderr.contains(self.partition), "{abroad}");

        for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            alice.set(variable, self.region);
        }
        for (profile, role, account, name) in
            [("direct", &direct, HUB, "VouchDeveloper"), ("spoke", &spoke, DEVELOPMENT, "VouchAccess")]
        {
            alice.set_up_profile(profile, role);
            let identity = alice.aws(&["sts", "get-caller-identity", "--profile", profile]).succeeded().json();
            let arn = format!("arn:{}:sts::{account}:assumed-role/{name}/alice@example.com", self.partition);
            assert_eq!(identity["Arn"], arn.as_str());
            assert_eq!(identity["Account"], account);
        }
        self.all_calls_stayed_in_the_partition(&world);

        let home = ["sts", "get-caller-identity", "--profile", "direct", "--region", "us-east-1"];
        let home = alice.aws(&home);
        assert_ne!(home.code, Some(0), "{home}");
        assert!(home.stderr.contains("(InvalidClientTokenId)"), "credentials end at the border: {home}");
    }

    fn all_calls_stayed_in_the_partition(&self, world: &World) {
        let issued = world.cloud.standin.calls_of("AssumeRoleWithWebIdentity");
        assert_eq!(issued.len(), 2, "one for each role");
        let chained = world.cloud.standin.calls_of("AssumeRole");
        assert_eq!(chained.len(), 1);
        for call in issued.iter().chain(&chained) {
            assert_eq!(call["awsRegion"], self.region, "{call:#}");
            assert_eq!(call["tlsDetails"]["clientProvidedHostHeader"], self.sts, "{call:#}");
            assert!(call["errorCode"].is_null(), "{call:#}");
        }
        for call in &issued {
            assert_eq!(call["responseElements"]["audience"], ISSUER_URL, "{call:#}");
            assert_eq!(call["responseElements"]["provider"], self.arns(&guide::provider(HUB)).as_str(), "{call:#}");
        }
    }
}

#[test]
fn china_works_end_to_end() {
    CHINA.works();
}

#[test]
fn govcloud_works_end_to_end() {
    GOVCLOUD.works();
}
