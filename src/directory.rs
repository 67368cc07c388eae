//! The Directory: which workspaces somebody may be a member of. One object for each subject.
//!
//! It finds; it does not decide: a workspace it names is asked for the role. It may name one too
//! many; one too few only until the workspace that took the membership has told it. What it is told
//! has a number, so that what comes late undoes nothing newer.

use crate::fields::{BadField, Fields, Line};
use crate::key::Workspace;
use crate::workspace::rows::{Missing, Range, Rows, Stop};

/// What a Directory is asked. Workspaces by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Names a workspace from now on, by its change of this number.
    Join(Workspace, u64),
    /// Names it no more, unless it was joined by a later change.
    Leave(Workspace, u64),
    /// Whether it is named.
    Find(Workspace),
    /// Which there are.
    List,
}

impl Call {
    /// The text.
    #[must_use]
    pub fn print(&self) -> String {
        let (word, at) = match self {
            Self::Join(_, at) => ("join", *at),
            Self::Leave(_, at) => ("leave", *at),
            Self::Find(_) => ("find", 0),
            Self::List => ("list", 0),
        };
        let workspace = self.workspace().map(Workspace::as_str);
        Line::new(word).with("v", VERSION).all("workspace", workspace).number("at", at).finish()
    }

    fn parse(text: &str) -> Result<Self, BadField> {
        let (word, rest) = text.split_once(' ').ok_or(BadField)?;
        let fields = Fields::of(rest);
        if fields.number::<u8>("v")? != VERSION {
            return Err(BadField);
        }
        let workspace = || Workspace::parse(fields.text("workspace")?).ok_or(BadField);
        match word {
            "join" => Ok(Self::Join(workspace()?, fields.number("at")?)),
            "leave" => Ok(Self::Leave(workspace()?, fields.number("at")?)),
            "find" => Ok(Self::Find(workspace()?)),
            "list" => Ok(Self::List),
            _ => Err(BadField),
        }
    }

    const fn workspace(&self) -> Option<&Workspace> {
        match self {
            Self::Join(workspace, _) | Self::Leave(workspace, _) | Self::Find(workspace) => {
                Some(workspace)
            }
            Self::List => None,
        }
    }
}

/// Reads the answer to a call: the workspaces that were asked about and are named, at most [`MOST`].
///
/// # Errors
/// [`BadField`] if it is none.
pub fn read(answer: &str) -> Result<Vec<Workspace>, BadField> {
    let rest = answer.strip_prefix("named").ok_or(BadField)?;
    let workspace = |text| Workspace::parse(text).ok_or(BadField);
    Fields::of(rest).all("workspace").map(workspace).collect()
}

/// The rows that a call reads.
#[must_use]
pub fn needs(text: &str) -> Missing {
    match Call::parse(text) {
        Ok(Call::List) => Missing { names: Vec::new(), ranges: vec![all()] },
        Ok(call) => {
            Missing { names: call.workspace().map(row).into_iter().collect(), ..Missing::default() }
        }
        Err(BadField) => Missing::default(),
    }
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
    let named = |names: &[String]| {
        let names = names.iter().map(|name| name.strip_prefix(PREFIX).unwrap_or_default());
        Line::new("named").all("workspace", names).finish()
    };
    let Some(workspace) = call.workspace() else { return Ok(named(&rows.names(&all())?)) };
    let name = row(workspace);
    let joined = rows.get::<u64>(&name)?;
    let stands = match call {
        Call::Join(_, at) if joined.is_none_or(|joined| joined < *at) => {
            rows.put(name.clone(), at);
            true
        }
        Call::Leave(_, at) if joined.is_some_and(|joined| joined <= *at) => {
            rows.delete(name.clone());
            false
        }
        Call::Join(..) | Call::Leave(..) | Call::Find(_) | Call::List => joined.is_some(),
    };
    Ok(named(if stands { core::slice::from_ref(&name) } else { &[] }))
}

fn row(workspace: &Workspace) -> String {
    format!("{PREFIX}{}", workspace.as_str())
}

fn all() -> Range {
    Range::of(PREFIX, MOST)
}

const PREFIX: &str = "in/";
const VERSION: u8 = 1;
/// More of them are kept and not named.
pub const MOST: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn call(stored: &mut Vec<(String, String)>, call: Call) -> usize {
        let mut rows = Rows::default();
        let lines: Vec<_> = stored.iter().map(|(name, value)| format!("{name}\n{value}")).collect();
        rows.load(&needs(&call.print()), &lines.join("\n"));
        let named = answer(&call.print(), &mut rows).map(|answer| read(&answer).unwrap().len());
        for (name, value) in rows.changes() {
            stored.retain(|(own, _)| own != name);
            stored.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        }
        named.unwrap()
    }

    #[test]
    fn what_comes_late_undoes_nothing_newer() {
        let one = Workspace::parse("DEM0WS").unwrap();
        let mut rows = Vec::new();
        let mut tell = |told: Call| call(&mut rows, told);
        assert_eq!(tell(Call::Find(one)), 0);
        assert_eq!(tell(Call::Join(one, 3)), 1);
        assert_eq!(tell(Call::Leave(one, 2)), 1, "of before");
        assert_eq!(tell(Call::Join(one, 1)), 1);
        assert_eq!(tell(Call::Leave(one, 2)), 1, "a join of before counts for nothing");
        assert_eq!((tell(Call::Find(one)), tell(Call::List)), (1, 1));
        assert_eq!(tell(Call::Find(Workspace::parse("0THER0").unwrap())), 0);
        assert_eq!(tell(Call::Leave(one, 4)), 0);
        assert_eq!((tell(Call::Find(one)), tell(Call::List)), (0, 0));
    }
}
