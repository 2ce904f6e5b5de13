//! Any line on the agent's socket is a request or is refused; an answer that parses can be written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vouch_cli::agent::protocol::{Envelope, Response};

fuzz_target!(|line: &[u8]| {
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(line) {
        let again = serde_json::to_vec(&envelope).expect("a request can be written");
        serde_json::from_slice::<Envelope>(&again).expect("what was written can be read");
    }
    if let Ok(response) = serde_json::from_slice::<Response>(line) {
        let again = serde_json::to_vec(&response).expect("an answer can be written");
        serde_json::from_slice::<Response>(&again).expect("what was written can be read");
    }
});
