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
    /// Whether the session of this id was ended.
    Session(String),
    /// Ends a session: its id, the second of its own end, and the second it is.
    SignOut(String, u64, u64),
}

impl Call {
    /// The text.
    #[must_use]
    pub fn print(&self) -> String {
        match self {
            Self::Session(id) => {
                return Line::new("session").with("v", VERSION).with("id", id).finish();
            }
            Self::SignOut(id, until, now) => {
                let line = Line::new("sign-out").with("v", VERSION).with("id", id);
                return line.number("until", *until).number("now", *now).finish();
            }
            Self::Join(..) | Self::Leave(..) | Self::Find(_) | Self::List => {}
        }
        let (word, at) = match self {
            Self::Join(_, at) => ("join", *at),
            Self::Leave(_, at) => ("leave", *at),
            Self::Find(_) => ("find", 0),
            Self::List | Self::Session(_) | Self::SignOut(..) => ("list", 0),
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
            "session" => Ok(Self::Session(fields.text("id")?.to_owned())),
            "sign-out" => {
                let (until, now) = (fields.number("until")?, fields.number("now")?);
                Ok(Self::SignOut(fields.text("id")?.to_owned(), until, now))
            }
            _ => Err(BadField),
        }
    }

    const fn workspace(&self) -> Option<&Workspace> {
        match self {
            Self::Join(workspace, _) | Self::Leave(workspace, _) | Self::Find(workspace) => {
                Some(workspace)
            }
            Self::List | Self::Session(_) | Self::SignOut(..) => None,
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

/// Reads the answer to [`Call::Session`] or [`Call::SignOut`]: whether the session is ended.
///
/// # Errors
/// [`BadField`] if it is none.
pub fn read_session(answer: &str) -> Result<bool, BadField> {
    match answer {
        ENDED => Ok(true),
        GOES_ON => Ok(false),
        _ => Err(BadField),
    }
}

/// The rows that a call reads.
#[must_use]
pub fn needs(text: &str) -> Missing {
    match Call::parse(text) {
        Ok(Call::List) => Missing { names: Vec::new(), ranges: vec![all()] },
        Ok(Call::Session(id)) => Missing { names: vec![ended(&id)], ..Missing::default() },
        Ok(Call::SignOut(..)) => Missing { names: Vec::new(), ranges: vec![all_ended()] },
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
    match call {
        Call::Session(id) => {
            let is_ended = rows.get::<u64>(&ended(id))?.is_some();
            return Ok((if is_ended { ENDED } else { GOES_ON }).to_owned());
        }
        Call::SignOut(id, until, now) => {
            for (name, until) in rows.scan::<u64>(&all_ended())? {
                if until <= *now {
                    rows.delete(name);
                }
            }
            rows.put(ended(id), until);
            return Ok(ENDED.to_owned());
        }
        Call::Join(..) | Call::Leave(..) | Call::Find(_) | Call::List => {}
    }
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
        Call::Join(..)
        | Call::Leave(..)
        | Call::Find(_)
        | Call::List
        | Call::Session(_)
        | Call::SignOut(..) => joined.is_some(),
    };
    Ok(named(if stands { core::slice::from_ref(&name) } else { &[] }))
}

fn row(workspace: &Workspace) -> String {
    format!("{PREFIX}{}", workspace.as_str())
}

fn ended(id: &str) -> String {
    format!("{OUT}{id}")
}

fn all_ended() -> Range {
    Range::of(OUT, MOST)
}

fn all() -> Range {
    Range::of(PREFIX, MOST)
}

const PREFIX: &str = "in/";
const OUT: &str = "out/";
const ENDED: &str = "session ended=1";
const GOES_ON: &str = "session";
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

    #[test]
    fn a_session_that_was_ended_stays_so_until_its_own_end() {
        let mut stored: Vec<(String, String)> = Vec::new();
        let mut tell = |told: Call| {
            let mut rows = Rows::default();
            let lines: Vec<_> = stored.iter().map(|(n, v)| format!("{n}\n{v}")).collect();
            rows.load(&needs(&told.print()), &lines.join("\n"));
            let answer = read_session(&answer(&told.print(), &mut rows).unwrap());
            for (name, value) in rows.changes() {
                stored.retain(|(own, _)| own != name);
                stored.extend(value.map(|value| (name.to_owned(), value.to_owned())));
            }
            (answer.unwrap(), stored.len())
        };
        let session = |id: &str| Call::Session(id.to_owned());
        assert_eq!(tell(session("a")), (false, 0));
        assert_eq!(tell(Call::SignOut("a".to_owned(), 100, 10)), (true, 1));
        assert_eq!((tell(session("a")), tell(session("b"))), ((true, 1), (false, 1)));
        assert_eq!(tell(Call::SignOut("b".to_owned(), 300, 99)), (true, 2));
        assert_eq!(tell(Call::SignOut("c".to_owned(), 300, 100)), (true, 2), "the first is over");
    }
}
