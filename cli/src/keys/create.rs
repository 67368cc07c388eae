//! `keys create`.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::fields::{Fields, word};
use crate::machine;
use crate::online::{Connection, Online};
use crate::output::{Exit, Failure, Output};
use crate::profile::Profiles;
use crate::secret::Secret;

#[derive(Args)]
pub(crate) struct Create {
    #[command(flatten)]
    fields: Fields,
    /// What kind of bearer it is for [default: service, or project with --project-id].
    #[arg(long = "type", value_enum)]
    kind: Option<Kind>,
    /// Its project; for --type project.
    #[arg(long, value_name = "PROJECT")]
    project_id: Option<String>,
    /// Becomes part of its prefix.
    #[arg(long, value_enum)]
    environment: Option<Environment>,
    /// A network it may be used from, as 203.0.113.0/24; may be repeated [default: any].
    #[arg(long, visible_alias = "ip", value_name = "NETWORK")]
    add_ip: Vec<String>,
    #[command(flatten)]
    shown: Shown,
}

/// What becomes of a new secret.
#[derive(Args)]
pub(super) struct Shown {
    /// Print the secret, and no words.
    #[arg(long, short)]
    quiet: bool,
    /// Keep it in the profile as the user's own, and print it nowhere.
    #[arg(long)]
    save: bool,
}

impl Shown {
    /// Before there is a secret: that it can be kept where it is to be.
    pub(super) fn check(&self, connection: &Connection) -> Result<(), Failure> {
        if self.save { connection.check_keeps() } else { Ok(()) }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// A program's.
    Service,
    /// The caller's own.
    Personal,
    /// One project's; needs --project-id.
    Project,
    /// Needs --ttl or --expires.
    Temporary,
}

#[derive(Clone, Copy, ValueEnum)]
enum Environment {
    Live,
    Test,
}

pub(super) fn create(online: Online<Create>) -> Result<Output, Failure> {
    let Online { verb, connection } = online;
    let mut body = verb.fields.body(machine::now()?)?;
    let scoped = body.contains_key("scopes");
    body.entry("scopes").or_insert_with(|| json!(["read"]));
    let of_project = verb.project_id.as_ref().map(|_| Kind::Project);
    if let Some(kind) = verb.kind.or(of_project) {
        body.insert("type".to_owned(), json!(word(kind)));
    }
    if let Some(project) = &verb.project_id {
        body.insert("project_id".to_owned(), json!(project));
    }
    if let Some(environment) = verb.environment {
        body.insert("environment".to_owned(), json!(word(environment)));
    }
    if !verb.add_ip.is_empty() {
        body.insert("ips".to_owned(), json!(verb.add_ip));
    }
    verb.shown.check(&connection)?;
    let reply = connection.workspace()?.change("POST", "/api-keys", Some(&body.into()))?;
    let output = handed_over(&connection, reply.body, reply.replayed, &verb.shown)?;
    let output = if scoped || verb.shown.quiet {
        output
    } else {
        output.note("it may read, and nothing else: see --scope")
    };
    Ok(output)
}

/// The secrets of an answer, to whoever is to have them: each in a line of its own.
pub(super) fn handed_over(
    connection: &Connection,
    body: Value,
    replayed: bool,
    shown: &Shown,
) -> Result<Output, Failure> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let kid = text("id").unwrap_or_default();
    let (key, signing) = (text("secret"), text("signing_secret"));
    if replayed && key.is_none() && signing.is_none() {
        return Err(Failure::new(
            Exit::Busy,
            format!(
                "it is done (key {kid}), but the answer with the secret was lost on the way, and no other \
                 has it: portcullis keys rotate {kid} --grace 1s"
            ),
        ));
    }
    if key.is_none() && signing.is_none() {
        return Err(Failure::new(
            Exit::Refused,
            format!("the answer has no secret (key {kid}): portcullis keys list"),
        ));
    }
    if shown.save {
        match saved(connection, key.as_deref(), signing.as_deref()) {
            Ok(()) => return Ok(kept(body).quiet_if(shown.quiet)),
            // Nobody else has them.
            Err(failure) => {
                let output = printed(body, &kid, key, signing).quiet_if(shown.quiet);
                let words = format!("not kept: {failure}");
                return Ok(output.note(words.clone()).failing(Failure::new(Exit::Io, words)));
            }
        }
    }
    Ok(printed(body, &kid, key, signing).quiet_if(shown.quiet))
}

fn printed(body: Value, kid: &str, key: Option<String>, signing: Option<String>) -> Output {
    let both = key.is_some() && signing.is_some();
    let secrets: Vec<String> = key.into_iter().chain(signing).collect();
    let mut output = Output::new(secrets.join("\n"), body).note(format!("key {kid}"));
    if both {
        output = output.note("first the key, then the secret that signs");
    }
    let output = output.or_lost(format!(
        "key {kid} is made, and nobody has its secret: portcullis keys rotate {kid} --grace 0, or keys revoke {kid}"
    ));
    output.note("shown this once: keep it where the program that needs it finds it")
}

fn saved(connection: &Connection, key: Option<&str>, signing: Option<&str>) -> Result<(), Failure> {
    let secret = |text: &str| Secret::parse(text).map_err(Failure::refused);
    let (key, signing) = (key.map(secret).transpose()?, signing.map(secret).transpose()?);
    Profiles::change(connection.profile_name(), |profile| {
        profile.api_key = key.or(profile.api_key.take());
        profile.signing_secret = signing.or(profile.signing_secret.take());
        Ok(())
    })
}

/// The answer without the secrets that the profile has now.
fn kept(mut body: Value) -> Output {
    if let Some(fields) = body.as_object_mut() {
        fields.remove("secret");
        fields.remove("signing_secret");
    }
    let kid = body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    Output::new(kid, body).note("its secret is in the profile: portcullis config show")
}
