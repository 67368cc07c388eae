//! `keys list` and `keys show`.

use clap::Args;
use clap::builder::RangedU64ValueParser;
use portcullis::key::Kid;
use serde_json::Value;

use crate::online::Workspace;
use crate::output::{Failure, Output};
use crate::table::Table;
use crate::view;

#[derive(Args)]
pub(crate) struct List {
    /// Only those of a project.
    #[arg(long, value_name = "PROJECT")]
    project_id: Option<String>,
    /// How many at most, the newest first [default: all].
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..), value_name = "COUNT")]
    limit: Option<usize>,
}

pub(super) fn list(workspace: &Workspace, list: &List) -> Result<Output, Failure> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(list.project_id.iter().map(|project| ("project_id", project)));
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    let most = list.limit.unwrap_or(usize::MAX);
    let body = workspace.all(&format!("/api-keys{mark}{query}"), "keys", most)?;
    let keys = body.get("keys").and_then(Value::as_array);
    let rows = keys.into_iter().flatten().map(|key| {
        ["id", "name", "type", "status", "scopes", "last_used", "expires"]
            .map(|name| view::field(key, name))
            .to_vec()
    });
    let head = &["ID", "NAME", "TYPE", "STATUS", "SCOPES", "LAST USED", "EXPIRES"];
    Ok(Output::table(Table::new(head, rows.collect()).cut(&[1, 4]), body))
}

pub(super) fn show(workspace: &Workspace, kid: Kid) -> Result<Output, Failure> {
    let key = workspace.get(&format!("/api-keys/{kid}"))?;
    Ok(Output::table(view::fields(&key), key))
}
