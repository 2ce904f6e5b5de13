//! Any text is a configuration or a list of problems, each with words to show.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vouch_issuer::config::load_str;

fuzz_target!(|text: &str| {
    match load_str(text) {
        Ok(config) => assert!(config.url.as_str().starts_with("https://")),
        Err(problems) => assert!(!problems.to_string().is_empty(), "refused without a word"),
    }
});
