//! A strict stand-in for AWS: it refuses exactly what AWS refuses.
//!
//! Public emulators hand out credentials for a forged web-identity token and ignore most trust policies, so a test
//! against them proves nothing. This one verifies tokens and request signatures completely, evaluates policies with
//! its own evaluator, and answers with the codes and texts that AWS uses.
//!
//! It shares no code with the product, on purpose: a misunderstanding of AWS must not cancel itself out between the
//! program and its judge. It must never let a connection leave the machine, and never log a secret.
//!
//! | module | holds |
//! |---|---|
//! | [`front`] | the HTTP proxy that ends TLS for AWS names with certificates of its own authority |
//! | [`control`] | the API by which a test creates accounts, turns knobs and reads the call log |
//! | [`api`] | one AWS call from request to answer: faults on demand, authentication, dispatch, log |
//! | [`wire`] | the query protocol: parameters, shape checks, XML, faults |
//! | [`sigv4`] | verification of Signature Version 4, as header and as presigned URL |
//! | [`sts`], [`web_identity`] | the STS actions, and what it takes to accept a foreign token |
//! | [`iam`] | the IAM actions and their validations |
//! | [`access`] | whether a caller may, and the words of a refusal |
//! | [`policy`] | the policy language and its evaluation |
//! | [`world`] | the state: accounts, users, roles, providers, policies, access keys, sessions |

pub mod access;
pub mod api;
pub mod calls;
pub mod control;
pub mod endpoint;
pub mod front;
pub mod iam;
pub mod knobs;
pub mod policy;
pub mod run;
pub mod sigv4;
pub mod standin;
pub mod sts;
pub mod web_identity;
pub mod wire;
pub mod world;
