//! `AwsFederation` objects as validated values.

use std::collections::BTreeSet;

use vouch_crds::federation::{
    Allow as DeclaredAllow, AwsFederationSpec, Hub as DeclaredHub, Partition as DeclaredPartition,
    Role as DeclaredRole, Spoke as DeclaredSpoke,
};
use vouch_iam::arn::{AccountId, Partition, RoleName};

use super::{parse, parse_all, typed_objects};
use crate::config::{
    federation::{Allow, DirectRole, Federation, Hub, Spoke},
    manifest::{Kind, Manifest},
    problem::Problem,
};

/// Every federation, each with the object that declares it.
pub(super) fn federations<'a>(
    manifests: &'a [Manifest],
    problems: &mut Vec<Problem>,
) -> Vec<(&'a Manifest, Federation)> {
    let mut federations = Vec::new();
    for (manifest, spec) in typed_objects::<AwsFederationSpec>(Kind::AwsFederation, manifests, problems) {
        federations.extend(federation(manifest, &spec, problems).map(|federation| (manifest, federation)));
    }
    federations
}

fn federation(manifest: &Manifest, spec: &AwsFederationSpec, problems: &mut Vec<Problem>) -> Option<Federation> {
    let partition = match spec.partition {
        DeclaredPartition::Aws => Partition::Aws,
        DeclaredPartition::AwsCn => Partition::AwsCn,
        DeclaredPartition::AwsUsGov => Partition::AwsUsGov,
    };
    let account: AccountId = parse(manifest, "spec.account", &spec.account, problems)?;
    let mut reader = Reader { manifest, partition, account, problems };
    let declared = spec.roles.iter().enumerate();
    let roles = declared.filter_map(|(index, role)| reader.role(&format!("spec.roles[{index}]"), role)).collect();
    let hub = match &spec.hub {
        Some(hub) => Some(reader.hub(hub, &spec.spokes)?),
        None => None,
    };
    Some(Federation { name: manifest.full_name(), partition, account, roles, hub })
}

/// Reads the roles of one federation.
struct Reader<'a> {
    manifest: &'a Manifest,
    partition: Partition,
    account: AccountId,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn role(&mut self, field: &str, declared: &DeclaredRole) -> Option<DirectRole> {
        let allow = self.allow(field, &declared.allow);
        let name = self.name(field, &declared.path, &declared.name)?;
        let max_session = declared.max_session_duration.into();
        Some(DirectRole { role: name.in_account(self.partition, self.account), allow, max_session })
    }

    fn hub(&mut self, declared: &DeclaredHub, spokes: &[DeclaredSpoke]) -> Option<Hub> {
        let spokes = spokes.iter().enumerate();
        let spokes = spokes.filter_map(|(index, spoke)| self.spoke(&format!("spec.spokes[{index}]"), spoke)).collect();
        let allow = self.allow("spec.hub", &declared.allow);
        let name = self.name("spec.hub", &declared.path, &declared.name)?;
        Some(Hub { role: name.in_account(self.partition, self.account), allow, spokes })
    }

    fn spoke(&mut self, field: &str, declared: &DeclaredSpoke) -> Option<Spoke> {
        let mut accounts: BTreeSet<AccountId> =
            parse_all(self.manifest, &format!("{field}.targets.accounts"), &declared.targets.accounts, self.problems);
        for (index, other) in declared.overrides.iter().enumerate() {
            let field = format!("{field}.overrides[{index}].accounts");
            accounts.append(&mut parse_all(self.manifest, &field, &other.accounts, self.problems));
        }
        Some(Spoke {
            allow: self.allow(field, &declared.allow),
            role: self.name(field, &declared.path, &declared.name)?,
            accounts,
            in_organizational_units: !declared.targets.organizational_units.is_empty(),
        })
    }

    fn name(&mut self, field: &str, path: &str, name: &str) -> Option<RoleName> {
        match RoleName::new(path, name) {
            Ok(name) => Some(name),
            Err(error) => {
                // Its schema knows whether path or name is to blame.
                if self.manifest.valid {
                    self.problems.push(self.manifest.problem(&format!("{field}.name"), error.to_string()));
                }
                None
            }
        }
    }

    fn allow(&mut self, field: &str, declared: &DeclaredAllow) -> Allow {
        if self.manifest.is_partly_unknown(&format!("{field}.allow")) {
            // What is not known may take back what is.
            return Allow::default();
        }
        Allow {
            domains: parse_all(self.manifest, &format!("{field}.allow.domains"), &declared.domains, self.problems),
            emails: parse_all(self.manifest, &format!("{field}.allow.emails"), &declared.emails, self.problems),
            groups: declared.groups.iter().cloned().collect(),
        }
    }
}
