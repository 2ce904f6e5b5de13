//! The call log, as an auditor reads it: one line a call.

use serde_json::Value;

use super::narrator::Narrator;

/// Prints what happened in each account, in order.
pub(super) fn show(calls: &[Value], narrator: &mut Narrator) {
    for call in calls {
        narrator.say("");
        for line in lines(call) {
            narrator.output(&line);
        }
    }
}

/// A call in a few lines: when, where, what, by whom, for whom, with which tags.
fn lines(call: &Value) -> Vec<String> {
    let text = |pointer: &str| call.pointer(pointer).and_then(Value::as_str);
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| text(pointer)).map(str::to_owned);
    let mut lines = vec![format!(
        "{}  {}  {}",
        text("/eventTime").unwrap_or("?"),
        text("/eventName").unwrap_or("?"),
        accounts(call).join(" and ")
    )];
    let facts = [
        ("by", first(&["/userIdentity/arn", "/userIdentity/userName"])),
        ("takes", first(&["/requestParameters/roleArn"])),
        ("source identity", first(&SOURCE_IDENTITY)),
        ("tags", tags(call)),
        ("refused", first(&["/errorMessage"])),
    ];
    let shown = facts.into_iter().filter_map(|(name, value)| value.map(|value| format!("    {name:<16}{value}")));
    lines.extend(shown);
    lines
}

/// The accounts whose trails hold the call: a role taken across accounts is in both.
fn accounts(call: &Value) -> Vec<String> {
    let own = call.pointer("/recipientAccountId").and_then(Value::as_str);
    let role = call.pointer("/requestParameters/roleArn").and_then(Value::as_str);
    let other = role.and_then(|arn| arn.split(':').nth(4)).filter(|account| Some(*account) != own);
    own.into_iter().chain(other).map(str::to_owned).collect()
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
    Some(shown.collect::<Vec<_>>().join("  "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lines;

    #[test]
    fn a_chained_call_names_the_person_behind_it() {
        let call = json!({
            "eventTime": "2026-11-21T09:30:11Z",
            "recipientAccountId": "999999999999",
            "eventName": "AssumeRole",
            "userIdentity": {
                "arn": "arn:aws:sts::999999999999:assumed-role/VouchAccess/alice@example.com",
                "sessionContext": {"sourceIdentity": "alice@example.com"},
            },
            "requestParameters": {
                "roleArn": "arn:aws:iam::111111111111:role/vouch/VouchAccess",
                "incomingTransitiveTags": {"vouch:Email": "alice@example.com"},
            },
        });
        assert_eq!(
            lines(&call),
            [
                "2026-11-21T09:30:11Z  AssumeRole  999999999999 and 111111111111",
                "    by              arn:aws:sts::999999999999:assumed-role/VouchAccess/alice@example.com",
                "    takes           arn:aws:iam::111111111111:role/vouch/VouchAccess",
                "    source identity alice@example.com",
                "    tags            vouch:Email=alice@example.com",
            ]
        );
    }
}
