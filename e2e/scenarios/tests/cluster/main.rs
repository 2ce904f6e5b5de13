//! The scenarios that need a real cluster, and so root: one file each, named as a sentence.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "what fails here fails the test, and what was measured is told to who asks with --nocapture"
)]

mod a_declared_issuer_gives_aws_credentials;
mod a_leader_that_lost_the_lease_writes_nothing;
mod an_unchanged_issuer_is_never_written;
mod an_upgrade_and_an_uninstall_keep_what_people_have_made;
mod clocks_that_differ_stop_nobody;
mod every_replica_refuses_a_disabled_person_within_a_second;
mod hundreds_of_rotations_fail_no_verifier;
mod issuers_keep_to_their_namespaces;
mod killing_what_leads_changes_nothing;
mod lost_signing_keys_are_reported_and_never_replaced;
mod no_loss_of_a_pod_or_a_node_loses_a_request;
mod sessions_go_on_without_the_api_server;
mod the_autoscaler_keeps_its_replicas;
mod the_operations_guide_works_as_written;
