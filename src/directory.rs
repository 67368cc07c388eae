//! The Directory: which workspaces somebody may be a member of. One object for each subject.
//!
//! It finds; it does not decide: a workspace it names is asked for the role. It may name one too
//! many, never one too few once a membership was acknowledged.

use crate::fields::{BadField, Fields, Line};
use crate::key::Workspace;
use crate::workspace::rows::{Missing, Range, Rows, Stop};

/// What a Directory is asked. Workspaces by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Names a workspace from now on.
    Join(Workspace),
    /// Names it no more.
    Leave(Workspace),
    /// Which there are.
    List,
}

impl Call {
    /// The text.
    #[must_use]
    pub fn print(&self) -> String {
        let (word, workspace) = match self {
            Self::Join(workspace) => ("join", Some(workspace)),
            Self::Leave(workspace) => ("leave", Some(workspace)),
            Self::List => ("list", None),
        };
        let workspace = workspace.map(Workspace::as_str);
        Line::new(word).with("v", VERSION).all("workspace", workspace).finish()
    }

    fn parse(text: &str) -> Result<Self, BadField> {
        let (word, rest) = text.split_once(' ').ok_or(BadField)?;
        let fields = Fields::of(rest);
        if fields.number::<u8>("v")? != VERSION {
            return Err(BadField);
        }
        let workspace = || Workspace::parse(fields.text("workspace")?).ok_or(BadField);
        match word {
            "join" => Ok(Self::Join(workspace()?)),
            "leave" => Ok(Self::Leave(workspace()?)),
            "list" => Ok(Self::List),
            _ => Err(BadField),
        }
    }
}

/// Reads the answer to a call: the workspaces that are named now, at most [`MOST`].
///
/// # Errors
/// [`BadField`] if it is none.
pub fn read(answer: &str) -> Result<Vec<Workspace>, BadField> {
    let rest = answer.strip_prefix("named").ok_or(BadField)?;
    let workspace = |text| Workspace::parse(text).ok_or(BadField);
    Fields::of(rest).all("workspace").map(workspace).collect()
}

/// The rows that every call reads.
#[must_use]
pub fn needs() -> Missing {
    Missing { names: Vec::new(), ranges: vec![all()] }
}

/// Answers a call.
///
/// # Errors
/// What has to be fetched into `rows` first.
pub fn answer(text: &str, rows: &mut Rows) -> Result<String, Missing> {
    let Ok(call) = Call::parse(text) else { return Ok("unreadable".to_owned()) };
    match run(&call, rows) {
        Ok(answer) => Ok(answer),
        Err(Stop::Missing(missing)) => Err(missing),
        Err(Stop::Damaged(row)) => Ok(Line::new("broken").with("row", row).finish()),
    }
}

fn run(call: &Call, rows: &mut Rows) -> Result<String, Stop> {
    let names = rows.names(&all())?;
    let row = |workspace: &Workspace| format!("{PREFIX}{}", workspace.as_str());
    match call {
        Call::Join(workspace) if !names.contains(&row(workspace)) => rows.put(row(workspace), &1),
        Call::Leave(workspace) => rows.delete(row(workspace)),
        Call::Join(_) | Call::List => {}
    }
    let names = names.iter().map(|name| name.strip_prefix(PREFIX).unwrap_or_default());
    Ok(Line::new("named").all("workspace", names).finish())
}

fn all() -> Range {
    Range::of(PREFIX, MOST)
}

const PREFIX: &str = "in/";
const VERSION: u8 = 1;
/// More of them are kept and not named.
pub const MOST: u32 = 100;
