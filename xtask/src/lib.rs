//! Every build, run and test step.

pub mod api;
pub mod bench;
pub mod checkout;
pub mod conformance;
pub mod control;
pub mod dashboard;
pub mod docs;
pub mod guard;
pub mod http;
pub mod interval;
pub mod issuer;
pub mod keys;
pub mod load;
pub mod members;
pub mod prove;
pub mod seed;
pub mod serve;
pub mod signers;
pub mod test;
pub mod tools;
pub mod vectors;
pub mod worker;
pub mod workerd;
pub mod www;
