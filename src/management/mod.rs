//! The management API: what may be asked, by whom, in which form.
//!
//! Tables say what endpoints there are ([`endpoint`]) and what bodies hold ([`body`]); requests are
//! checked by them, and the OpenAPI document is made of them. What is asked is then done by the
//! Workspace, in one transaction with its audit row.

pub mod answer;
pub mod body;
pub mod desk;
pub mod endpoint;
pub mod exchange;
pub mod json;
pub mod openapi;
pub mod problem;
mod proof;
pub mod query;
pub mod role;
pub mod schema;
pub mod table;
pub mod time;
pub mod usage;
