//! The call log: what CloudTrail would record of each call, so that a test can assert who did what.
//!
//! A call is one record, but for a role that was taken across accounts: that is in the trail of the caller's account
//! and in that of the role's, under one `sharedEventID`.
//!
//! Field names and meanings are CloudTrail's ("CloudTrail record contents"). No secret key, session token or
//! web-identity token is ever part of a record.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;

/// Records kept; the oldest go first.
const CAPACITY: usize = 100_000;

/// One call, as the trail of one account holds it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRecord {
    /// Always `1.11`.
    pub event_version: &'static str,
    /// Who called.
    pub user_identity: Value,
    /// When, in whole seconds, by the stand-in's clock.
    pub event_time: String,
    /// The service, such as `sts.amazonaws.com`.
    pub event_source: &'static str,
    /// The action, such as `AssumeRole`.
    pub event_name: String,
    /// The region of the endpoint; IAM's events are all in the partition's main region.
    pub aws_region: String,
    /// The caller's address.
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: String,
    /// The caller's `User-Agent`.
    pub user_agent: Option<String>,
    /// The model's error name, absent on success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The error's text, absent on success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Parameters, without tokens.
    pub request_parameters: Value,
    /// Answer of a call that changes something or issues credentials, without secrets.
    pub response_elements: Value,
    /// As in the answer.
    #[serde(rename = "requestID")]
    pub request_id: String,
    /// Another for every record, also for two records of one call.
    #[serde(rename = "eventID")]
    pub event_id: String,
    /// The same in the records of one call that two accounts hold; absent from all others.
    #[serde(rename = "sharedEventID", skip_serializing_if = "Option::is_none")]
    pub shared_event_id: Option<String>,
    /// Whether the call changes nothing.
    pub read_only: bool,
    /// Objects of other accounts that the call touched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Value>,
    /// The account whose trail would hold the record.
    pub recipient_account_id: Option<String>,
    /// The host name the client spoke to.
    pub tls_details: Value,
}

/// All records since the start or the last clearing.
#[derive(Debug, Default)]
pub struct CallLog {
    records: Mutex<VecDeque<CallRecord>>,
}

impl CallLog {
    /// Adds a record.
    pub fn push(&self, record: CallRecord) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == CAPACITY {
            records.pop_front();
        }
        records.push_back(record);
    }

    /// All records as JSON lines, oldest first.
    #[must_use]
    pub fn json_lines(&self) -> String {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = String::new();
        for record in records.iter() {
            if let Ok(line) = serde_json::to_string(record) {
                lines.push_str(&line);
                lines.push('\n');
            }
        }
        lines
    }

    /// Forgets all records.
    pub fn clear(&self) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
