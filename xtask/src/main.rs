//! Every build, run and test step.
fn main() {}
