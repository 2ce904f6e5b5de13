//! The AWS configuration file of other tools, of which only our own blocks are ours.
//!
//! Each profile that `vouch setup aws` writes stands in a block between two marker comments. Every byte outside of our
//! blocks stays as it is: comments, order, line ends, encoding. A profile without our markers is never changed.

pub mod document;
pub mod edit;
pub mod file;
pub mod process;
