//! New signing keys behind an old URL would lock everybody out, or let a thief in: nothing but `init` makes keys.

use std::fs;

use vouch_scenarios::{World, process::Ran};

fn serve(world: &World) -> Ran {
    world.issuer.admin(&["serve", "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0"])
}

#[test]
fn a_lost_or_damaged_store_never_gets_new_keys() {
    let mut world = World::start();
    world.issuer.stop();
    let data = world.issuer.data();
    let safe = world.folder().join("safe");
    fs::rename(&data, &safe).unwrap();

    let missing = serve(&world);
    assert_ne!(missing.code, Some(0), "{missing}");
    assert!(missing.stderr.contains("init"), "what to do is missing: {missing}");
    assert!(!data.exists() || fs::read_dir(&data).unwrap().next().is_none(), "nothing was made");

    fs::create_dir_all(&data).unwrap();
    for file in fs::read_dir(&safe).unwrap().flatten() {
        let mut bytes = fs::read(file.path()).unwrap();
        bytes.iter_mut().skip(100).for_each(|byte| *byte ^= 0x5a);
        fs::write(data.join(file.file_name()), bytes).unwrap();
    }
    let damaged = serve(&world);
    assert_ne!(damaged.code, Some(0), "{damaged}");
    let refused = world.issuer.initialise();
    assert_ne!(refused.code, Some(0), "init leaves a store alone, damaged or not: {refused}");

    fs::remove_dir_all(&data).unwrap();
    fs::rename(&safe, &data).unwrap();
    world.restart_issuer();
    let again = world.issuer.initialise();
    assert_ne!(again.code, Some(0), "init never replaces a store: {again}");
}
