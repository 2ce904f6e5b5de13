//! The AWS query protocol: form parameters in, XML out.

pub mod encoding;
pub mod fault;
pub mod params;
pub mod shape;
pub mod xml;

pub use fault::Fault;
pub use params::Params;
pub use xml::Node;
