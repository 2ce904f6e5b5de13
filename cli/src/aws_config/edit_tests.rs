#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

const DEV: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";
const PROD: &str = "arn:aws:iam::222222222222:role/vouch/VouchAccess";

fn wanted(name: Option<&str>, role: &str) -> Wanted {
    let request = AwsCredentialsRequest { role: role.parse().unwrap(), via: None, duration: None, region: None };
    Wanted { name: name.map(str::to_owned), request, program: "vouch".to_owned() }
}

fn in_region(mut wanted: Wanted, region: &str) -> Wanted {
    wanted.request.region = Some(region.to_owned());
    wanted
}

fn document(text: &str) -> Document {
    Document::parse(text.as_bytes().to_vec()).unwrap()
}

fn added(text: &str, wanted: &Wanted) -> (String, Change) {
    let edited = add(&document(text), wanted, &|_| false).unwrap();
    (String::from_utf8(edited.bytes).unwrap(), edited.change)
}

fn removed(text: &str, name: Option<&str>) -> String {
    String::from_utf8(remove(&document(text), name, None).unwrap().bytes).unwrap()
}

#[test]
fn a_new_file_holds_the_profile_of_the_guide() {
    let (text, change) = added("", &wanted(Some("vouch-dev"), DEV));
    let expected = format!(
        "# >>> vouch: written by `vouch setup aws`, removed by `vouch setup aws --remove --profile vouch-dev`\n\
         [profile vouch-dev]\ncredential_process = vouch credential aws --role {DEV}\n# <<< vouch\n"
    );
    assert_eq!((text, change), (expected, Change::Added));
}

#[test]
fn names_are_given_as_in_the_guide() {
    let (text, _) = added("", &wanted(None, DEV));
    let (text, _) = added(&text, &wanted(None, PROD));
    let names: Vec<_> = document(&text).profiles.into_iter().map(|profile| profile.name).collect();
    assert_eq!(names, ["vouch", "vouch-2"]);
    let (text, _) = added("[profile vouch]\nregion = x\n", &wanted(None, DEV));
    assert!(text.contains("[profile vouch-2]"), "a name that is taken is passed over");
}

#[test]
fn the_same_role_again_changes_nothing() {
    for wanted in [wanted(None, DEV), wanted(Some("vouch-dev"), DEV), in_region(wanted(None, DEV), "eu-west-1")] {
        let (once, _) = added("[default]\nregion = x\n", &wanted);
        assert_eq!(added(&once, &wanted), (once, Change::Unchanged));
    }
}

#[test]
fn a_profile_written_by_hand_that_does_the_same_is_enough() {
    let text = format!("[profile vouch]\ncredential_process = vouch credential aws --role {DEV}\n");
    assert_eq!(added(&text, &wanted(None, DEV)), (text, Change::Unchanged));
}

#[test]
fn a_profile_that_is_not_ours_is_never_changed() {
    let text = "[profile vouch-dev]\naws_access_key_id = AKIA\n";
    for failure in [
        add(&document(text), &wanted(Some("vouch-dev"), DEV), &|_| false).unwrap_err(),
        remove(&document(text), Some("vouch-dev"), None).unwrap_err(),
    ] {
        assert_eq!(failure.category, Category::Configuration);
        assert!(failure.message.contains("vouch-dev exists and was not added by vouch"), "{failure}");
    }
}

#[test]
fn a_profile_that_static_keys_would_shadow_is_refused() {
    let failure = add(&document(""), &wanted(Some("dev"), DEV), &|name| name == "dev").unwrap_err();
    assert!(failure.message.contains("static keys"), "{failure}");
    let edited = add(&document(""), &wanted(None, DEV), &|name| name == "vouch").unwrap();
    assert_eq!(edited.profiles, ["vouch-2"]);
}

#[test]
fn another_role_for_our_profile_changes_its_line_and_keeps_the_persons_own() {
    let (text, _) = added("", &wanted(Some("dev"), DEV));
    let text = text.replace("# <<< vouch", "region = us-east-1\noutput = json\n# <<< vouch");
    let (changed, change) = added(&text, &wanted(Some("dev"), PROD));
    assert_eq!((changed, change), (text.replace(DEV, PROD), Change::Changed));
}

#[test]
fn a_region_is_the_profiles_and_the_endpoints() {
    let (text, _) = added("", &wanted(Some("dev"), DEV));
    let (text, change) = added(&text, &in_region(wanted(Some("dev"), DEV), "eu-west-1"));
    assert_eq!(change, Change::Changed);
    let process = format!("credential_process = vouch credential aws --role {DEV} --region eu-west-1");
    assert!(text.contains(&format!("[profile dev]\n{process}\nregion = eu-west-1\n# <<< vouch\n")), "{text}");
    let (text, _) = added(&text, &in_region(wanted(Some("dev"), DEV), "eu-west-2"));
    assert!(text.contains("--region eu-west-2\nregion = eu-west-2\n# <<<") && !text.contains("eu-west-1"), "{text}");
}

#[test]
fn a_line_the_person_deleted_from_our_block_comes_back() {
    let (text, _) = added("", &wanted(Some("dev"), DEV));
    let without = text.replace(&format!("credential_process = vouch credential aws --role {DEV}\n"), "");
    assert_eq!(added(&without, &wanted(Some("dev"), DEV)), (text, Change::Changed));
}

#[test]
fn windows_line_ends_stay() {
    let before = "[default]\r\nregion = x\r\n";
    let (text, _) = added(before, &wanted(None, DEV));
    assert!(text.starts_with(before) && !text.replace("\r\n", "").contains('\n'), "{text:?}");
    assert_eq!(removed(&text, None), before);
}

#[test]
fn a_file_without_a_last_newline_gets_one() {
    let (text, _) = added("[default]\nregion = x", &wanted(None, DEV));
    assert!(text.starts_with("[default]\nregion = x\n\n# >>> vouch:"), "{text}");
    assert_eq!(removed(&text, None), "[default]\nregion = x\n");
}

#[test]
fn remove_takes_one_of_a_role_or_all_of_ours_and_nothing_else() {
    let (text, _) = added("[profile own]\nx = 1\n", &wanted(Some("dev"), DEV));
    let (text, _) = added(&text, &wanted(Some("prod"), PROD));
    assert_eq!(removed(&text, None), "[profile own]\nx = 1\n");
    assert!(!removed(&text, Some("dev")).contains(DEV) && removed(&text, Some("dev")).contains(PROD));
    let by_role = remove(&document(&text), None, Some(&wanted(None, PROD).request)).unwrap();
    assert_eq!((by_role.profiles, by_role.change), (vec!["prod".to_owned()], Change::Removed));
    assert_eq!(remove(&document(&text), Some("nope"), None).unwrap_err().category, Category::Configuration);
    assert_eq!(remove(&document("[profile own]\n"), None, None).unwrap().change, Change::Unchanged);
}

#[test]
fn a_line_behind_the_block_is_not_left_to_another_profile() {
    let (text, _) = added("[profile own]\nx = 1\n", &wanted(Some("dev"), DEV));
    let failure = remove(&document(&format!("{text}region = eu-west-1\n")), Some("dev"), None).unwrap_err();
    assert!(failure.message.starts_with("line 8 belongs to profile dev"), "{failure}");
}

/// Files as people have them: sections, options, comments, blank lines, both line ends, any bytes between.
fn a_file() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(b"[default]".to_vec()),
        Just(b"[profile own]".to_vec()),
        Just(b"[profile vouch]".to_vec()),
        Just(b"[sso-session x]".to_vec()),
        Just(b"region = eu-west-1".to_vec()),
        Just(b"  nested = 1".to_vec()),
        Just(b"# comment".to_vec()),
        Just(b"".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..12),
    ];
    let end = prop_oneof![Just(b"\n".to_vec()), Just(b"\r\n".to_vec())];
    (proptest::collection::vec((line, end), 0..12), any::<bool>()).prop_map(|(lines, cut)| {
        let mut bytes: Vec<u8> = lines.into_iter().flat_map(|(line, end)| [line, end]).flatten().collect();
        if cut {
            bytes.pop();
        }
        bytes
    })
}

proptest! {
    #[test]
    fn config_outside_the_managed_block_is_byte_identical(before in a_file(), region in any::<bool>()) {
        let wanted = if region { in_region(wanted(None, DEV), "eu-west-1") } else { wanted(None, DEV) };
        if let Ok(original) = Document::parse(before.clone()) {
            let edited = add(&original, &wanted, &|_| false).unwrap();
            prop_assert!(edited.bytes.starts_with(&before), "everything before our block is as it was");
            let after = Document::parse(edited.bytes.clone()).unwrap();
            let ours = after.profile(&edited.profiles[0]).unwrap();
            prop_assert_eq!(ours.block.as_ref().unwrap().range.end, edited.bytes.len());
            prop_assert_eq!(ours.request.as_ref(), Some(&wanted.request));
            let names = |document: &Document| document.profiles.iter().map(|profile| profile.name.clone()).collect::<Vec<_>>();
            prop_assert_eq!(&names(&after)[..original.profiles.len()], &names(&original)[..]);

            let mut expected = before;
            if expected.last().is_some_and(|byte| *byte != b'\n') {
                expected.extend_from_slice(original.line_end(0).as_bytes());
            }
            prop_assert_eq!(remove(&after, None, None).unwrap().bytes, expected);
        }
    }

    #[test]
    fn a_change_touches_nothing_but_our_lines(before in a_file(), behind in a_file()) {
        if let Ok(original) = Document::parse(before) {
            let edited = add(&original, &wanted(Some("ours"), DEV), &|_| false).unwrap();
            let mut bytes = edited.bytes;
            bytes.extend_from_slice(b"[profile next]\n");
            bytes.extend_from_slice(&behind);
            if let Ok(document) = Document::parse(bytes.clone()) {
                let changed = add(&document, &wanted(Some("ours"), PROD), &|_| false).unwrap().bytes;
                let back = add(&Document::parse(changed.clone()).unwrap(), &wanted(Some("ours"), DEV), &|_| false).unwrap();
                prop_assert_ne!(&changed, &bytes);
                prop_assert_eq!(back.bytes, bytes);
            }
        }
    }
}
