//! `verify`: whether a key holds, by its record and the root alone.

use std::path::{Path, PathBuf};

use clap::Args;
use portcullis::clock::Now;
use portcullis::mint::Row;
use portcullis::policy::source;
use portcullis::record::{Document, SignatureMode};
use portcullis::root::Keyring;

use crate::explain::{self, Explained};
use crate::kv::Rows;
use crate::machine;
use crate::output::{Failure, Output};

#[derive(Args)]
#[command(group = clap::ArgGroup::new("known").required(true))]
pub(crate) struct Verify {
    /// The record of the key, as `key show` prints it.
    #[arg(long, value_name = "FILE", group = "known")]
    record: Option<PathBuf>,
    /// The rows that KV has, as `wrangler kv bulk put` reads them.
    #[arg(long, value_name = "FILE", group = "known")]
    kv: Option<PathBuf>,
    /// The client's address [default: one that is in no network].
    #[arg(long, value_parser = explain::address, value_name = "ADDRESS")]
    ip: Option<String>,
}

/// Asks the gate's own decision at a route that any key may use. The key comes by standard input, the root
/// by the environment.
pub(crate) fn verify(verify: &Verify) -> Result<Output, Failure> {
    let policy = source::compile(POLICY).map_err(Failure::refused)?;
    let now = Now::from_millis(machine::now()?.saturating_mul(1000));
    let rows = match (&verify.record, &verify.kv) {
        (Some(file), _) => of_record(file)?,
        (None, Some(file)) => Rows::read(file)?,
        (None, None) => Rows::default(),
    };
    let (mut case, note) = explain::of_key(policy)?;
    let asked = explain::asked("GET", URL, verify.ip.as_deref(), Vec::new());
    let Explained { output, open } = explain::explained(&mut case, &asked, &rows, &note, now)?;
    // What was not looked at does not hold.
    Ok(match open {
        Some(verdict) => output.refused_if(true, verdict),
        None => output,
    })
}

/// A record as the row that the gate would find.
fn of_record(file: &Path) -> Result<Rows, Failure> {
    let keyring = Keyring::parse(&machine::root_text()?).map_err(Failure::refused)?;
    let record = explain::record(file)?;
    // A signature is of a request, not of a key.
    let record = Document { signature: SignatureMode::None, signing: None, tier: None, ..record };
    let row: Row = record
        .row(keyring.newest())
        .ok_or_else(|| Failure::refused(format!("{}: its kid is none", file.display())))?;
    let mut rows = Rows::default();
    rows.put(&row);
    Ok(rows)
}

const URL: &str = "http://verify.invalid/";
const POLICY: &str = "version = 1\nhosts = [\"verify.invalid\"]\nadmin_host = \"admin.invalid\"\nmode = \"edge\"\n\
    [origins.none]\nservice = \"NONE\"\n\
    [[routes]]\nmethods = [\"GET\"]\npath = \"/\"\norigin = \"none\"\ncredentials = [\"key\"]\nscope = \"none\"\n";
