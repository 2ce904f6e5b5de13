//! The call log, as an auditor reads it: account by account, since every account has a trail of its own.

use serde_json::Value;

use super::narrator::Narrator;

/// Prints what the trail of each account holds, in order.
pub(super) fn show(calls: &[Value], accounts: &[(&str, &str)], narrator: &Narrator) {
    for (account, role) in accounts {
        narrator.say("");
        narrator.say(&format!("In account {account}, {role}:"));
        for call in calls.iter().filter(|call| text(call, "/recipientAccountId") == Some(*account)) {
            narrator.say("");
            for line in lines(call, calls) {
                narrator.output(&line);
            }
        }
    }
}

/// A call in a few lines: when, what, by whom, for whom, with which tags, and who else saw it.
fn lines(call: &Value, calls: &[Value]) -> Vec<String> {
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| text(call, pointer)).map(str::to_owned);
    let mut lines =
        vec![format!("{}  {}", text(call, "/eventTime").unwrap_or("?"), text(call, "/eventName").unwrap_or("?"))];
    let facts = [
        ("by", by(call)),
        ("takes", first(&["/requestParameters/roleArn"])),
        ("source identity", first(&SOURCE_IDENTITY)),
        ("tags", tags(call)),
        ("refused", first(&["/errorMessage"])),
        ("shared event", shared(call, calls)),
    ];
    for (name, value) in facts {
        // A value of several lines, such as tags, stays in its column.
        let mut label = name;
        for line in value.iter().flat_map(|value| value.lines()) {
            lines.push(format!("    {label:<16}{line}"));
            label = "";
        }
    }
    lines
}

/// The caller: by name at home, and as account and unique id abroad.
fn by(call: &Value) -> Option<String> {
    let known = ["/userIdentity/arn", "/userIdentity/userName"].iter().find_map(|pointer| text(call, pointer));
    let abroad = || {
        let (principal, account) = (text(call, "/userIdentity/principalId")?, text(call, "/userIdentity/accountId")?);
        Some(format!("{principal} of account {account}"))
    };
    known.map(str::to_owned).or_else(abroad)
}

/// The other account that holds a record of the same call, and the id by which the two are matched.
fn shared(call: &Value, calls: &[Value]) -> Option<String> {
    let id = text(call, "/sharedEventID")?;
    let own = text(call, "/recipientAccountId");
    let others = calls.iter().filter(|other| text(other, "/sharedEventID") == Some(id));
    let account =
        others.filter_map(|other| text(other, "/recipientAccountId")).find(|account| Some(*account) != own)?;
    Some(format!("{id}, also in account {account}"))
}

const SOURCE_IDENTITY: [&str; 3] = [
    "/userIdentity/sessionContext/sourceIdentity",
    "/requestParameters/sourceIdentity",
    "/responseElements/sourceIdentity",
];

const TAGS: [&str; 2] = ["/requestParameters/principalTags", "/requestParameters/incomingTransitiveTags"];

fn tags(call: &Value) -> Option<String> {
    let tags = TAGS.iter().find_map(|pointer| call.pointer(pointer)).and_then(Value::as_object)?;
    let shown = tags.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("?")));
    Some(shown.collect::<Vec<_>>().join("\n"))
}

fn text<'a>(call: &'a Value, pointer: &str) -> Option<&'a str> {
    call.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::lines;

    const SPOKE: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";

    /// The two records of one call.
    fn chained() -> [Value; 2] {
        let record = |account: &str, identity: Value| {
            json!({
                "eventTime": "2026-11-21T09:30:11Z",
                "recipientAccountId": account,
                "eventName": "AssumeRole",
                "userIdentity": identity,
                "sharedEventID": "b7f9",
                "requestParameters": {
                    "roleArn": SPOKE,
                    "sourceIdentity": "alice@example.com",
                    "incomingTransitiveTags": {"vouch:Email": "alice@example.com", "vouch:Role": SPOKE},
                },
            })
        };
        let at_home = json!({"arn": "arn:aws:sts::999999999999:assumed-role/VouchAccess/alice@example.com"});
        let abroad =
            json!({"type": "AWSAccount", "principalId": "AROAHUB:alice@example.com", "accountId": "999999999999"});
        [record("999999999999", at_home), record("111111111111", abroad)]
    }

    #[test]
    fn a_chained_call_names_the_person_behind_it_in_both_accounts() {
        let [at_home, abroad] = chained();
        let calls = [at_home.clone(), abroad.clone()];
        let with = |by: &str, other: &str| {
            [
                "2026-11-21T09:30:11Z  AssumeRole".to_owned(),
                format!("    by              {by}"),
                format!("    takes           {SPOKE}"),
                "    source identity alice@example.com".to_owned(),
                "    tags            vouch:Email=alice@example.com".to_owned(),
                format!("                    vouch:Role={SPOKE}"),
                format!("    shared event    b7f9, also in account {other}"),
            ]
        };
        assert_eq!(
            lines(&at_home, &calls),
            with("arn:aws:sts::999999999999:assumed-role/VouchAccess/alice@example.com", "111111111111")
        );
        assert_eq!(lines(&abroad, &calls), with("AROAHUB:alice@example.com of account 999999999999", "999999999999"));
    }
}
