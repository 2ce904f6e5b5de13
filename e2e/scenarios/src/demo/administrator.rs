//! The administrator's steps of both guides, with the real `aws` command.

use std::fs;

use serde_json::Value;

use super::{narrator::Narrator, stage::Stage};
use crate::{
    developer::Developer,
    guide::{self, DEVELOPMENT, HUB, PRODUCTION},
    manifest::ISSUER_URL,
};

/// Somebody with administrator's keys for every account: the last static keys in this story.
#[derive(Debug)]
pub(super) struct Administrator {
    machine: Developer,
}

impl Administrator {
    pub(super) fn new(stage: &dyn Stage) -> Self {
        let machine = stage.person("administrator");
        let profiles: String = [("management", HUB), ("development", DEVELOPMENT), ("production", PRODUCTION)]
            .map(|(profile, account)| {
                let keys = stage.account(account);
                format!(
                    "[profile {profile}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                    keys.access_key_id, keys.secret_access_key
                )
            })
            .concat();
        fs::create_dir_all(machine.home().join(".aws")).unwrap();
        fs::write(machine.home().join(".aws/config"), profiles).unwrap();
        Self { machine }
    }

    pub(super) fn prepare_management_account(&self, narrator: &mut Narrator) {
        // In a JSON list: version 1 of the aws command fetches a bare parameter that is a URL.
        self.aws(
            narrator,
            &format!(
                "iam create-open-id-connect-provider --url {ISSUER_URL} --client-id-list '[\"{ISSUER_URL}\"]' --profile management"
            ),
        );
        self.document(narrator, "issuer-trust.json", &guide::federated_trust(HUB));
        self.aws(
            narrator,
            "iam create-role --role-name VouchDeveloper --assume-role-policy-document file://issuer-trust.json \
             --query Role.Arn --profile management",
        );
        self.aws(
            narrator,
            "iam attach-role-policy --role-name VouchDeveloper --policy-arn arn:aws:iam::aws:policy/ReadOnlyAccess \
             --profile management",
        );
        self.aws(
            narrator,
            "iam create-role --path /vouch/ --role-name VouchAccess --assume-role-policy-document file://issuer-trust.json \
             --query Role.Arn --profile management",
        );
        self.document(narrator, "assume-spokes.json", &guide::hub_permissions());
        self.aws(
            narrator,
            "iam put-role-policy --role-name VouchAccess --policy-name AssumeSpokes --policy-document file://assume-spokes.json \
             --profile management",
        );
    }

    pub(super) fn prepare_member_accounts(&self, narrator: &mut Narrator) {
        self.document(narrator, "hub-trust.json", &guide::spoke_trust());
        for (profile, policy) in [("development", "PowerUserAccess"), ("production", "ReadOnlyAccess")] {
            self.aws(
                narrator,
                &format!(
                    "iam create-role --path /vouch/ --role-name VouchAccess --assume-role-policy-document \
                     file://hub-trust.json --query Role.Arn --profile {profile}"
                ),
            );
            self.aws(
                narrator,
                &format!(
                    "iam attach-role-policy --role-name VouchAccess --policy-arn arn:aws:iam::aws:policy/{policy} \
                     --profile {profile}"
                ),
            );
        }
    }

    fn aws(&self, narrator: &Narrator, arguments: &str) {
        narrator.command("administrator", &format!("aws {arguments}"));
        // What a shell makes of the line; no argument of it has a space.
        let words: Vec<&str> = arguments.split_whitespace().map(|word| word.trim_matches('\'')).collect();
        narrator.output(&self.machine.aws(&words).succeeded().stdout);
    }

    fn document(&self, narrator: &Narrator, name: &str, policy: &Value) {
        let text = format!("{policy:#}\n");
        fs::write(self.machine.home().join(name), &text).unwrap();
        narrator.command("administrator", &format!("cat {name}"));
        narrator.output(&text);
    }
}
