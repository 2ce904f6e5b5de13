//! Damaged files.

use proptest::prelude::*;

use super::*;

/// The example with some of its bytes exchanged, left out or repeated.
fn damaged_example() -> impl Strategy<Value = String> {
    let edit = (0..EXAMPLE.len(), 0..40_usize, "[\\PC\\n]{0,6}");
    prop::collection::vec(edit, 1..4).prop_map(|edits| {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for (at, length, insert) in edits {
            let start = at.min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, insert.bytes());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_loading_panic(text in "[\\PC\\n:{}\\[\\]-]{0,300}") {
        let _ = load_str(&text);
    }

    #[test]
    fn a_damaged_file_is_refused_with_reasons_or_still_right(text in damaged_example()) {
        match load_str(&text) {
            Ok(config) => prop_assert!(config.url.as_str().starts_with("https://")),
            Err(problems) => {
                prop_assert!(!problems.as_slice().is_empty());
                for problem in problems.as_slice() {
                    prop_assert!(!problem.reason.is_empty() && !problem.reason.contains("rule evaluation error"), "{}", problem);
                }
            }
        }
    }
}
