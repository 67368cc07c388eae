//! `config`: what the profile holds.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

use crate::machine;
use crate::online::workspace_number;
use crate::output::{Exit, Failure, Output};
use crate::profile::{self, Profile, Profiles};
use crate::secret::Secret;
use crate::site::Site;
use crate::table::Table;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Show what the profile holds; secrets are redacted.
    Show {
        /// One field alone.
        #[arg(long, value_enum)]
        key: Option<Field>,
        /// Print secrets, too.
        #[arg(long)]
        reveal: bool,
        #[command(flatten)]
        profile: OfProfile,
    },
    /// Set a field of the profile; the value comes by standard input.
    Set {
        /// The field.
        #[arg(long, value_enum)]
        key: Field,
        #[command(flatten)]
        profile: OfProfile,
    },
    /// Take a field out of the profile.
    Unset {
        /// The field.
        #[arg(long, value_enum)]
        key: Field,
        #[command(flatten)]
        profile: OfProfile,
    },
    /// Use this profile from now on where none is named.
    Use {
        /// Its name.
        name: String,
    },
    /// List profiles.
    Profiles,
    /// Print where the file is.
    Path,
}

#[derive(Args)]
pub(crate) struct OfProfile {
    /// The profile [default: the last that was set up or chosen].
    #[arg(long, env = "PORTCULLIS_PROFILE", value_name = "NAME")]
    profile: Option<String>,
}

/// A field of a profile, as it stands in the file.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Field {
    /// Where the management API is.
    Url,
    /// Where gated requests go.
    Gate,
    /// The workspace's number.
    Workspace,
    /// The issuer of the token.
    Issuer,
    /// What this client is called there.
    ClientId,
    /// The token (secret).
    Token,
    /// The user's own API key (secret).
    ApiKey,
    /// By which requests with it are signed (secret).
    SigningSecret,
}

pub(crate) fn run(verb: Verb) -> Result<Output, Failure> {
    match verb {
        Verb::Show { key, reveal, profile } => show(key, reveal, profile.profile.as_deref()),
        Verb::Set { key, profile } => {
            let value = match key {
                Field::Token | Field::ApiKey | Field::SigningSecret => {
                    machine::unseen_text(key.name())?
                }
                Field::Url | Field::Gate | Field::Workspace | Field::Issuer | Field::ClientId => {
                    machine::stdin_text(key.name())?
                }
            };
            changed(key, Some(value.trim()), profile.profile.as_deref())
        }
        Verb::Unset { key, profile } => changed(key, None, profile.profile.as_deref()),
        Verb::Use { name } => {
            Profiles::edit(|profiles| {
                profiles.find(Some(&name))?;
                profiles.default = Some(name.clone());
                Ok(())
            })?;
            Ok(Output::new(name.clone(), serde_json::json!({ "default": name })))
        }
        Verb::Profiles => list(),
        Verb::Path => {
            let path = profile::path()?.display().to_string();
            Ok(Output::new(path.clone(), serde_json::json!({ "path": path })))
        }
    }
}

fn show(key: Option<Field>, reveal: bool, name: Option<&str>) -> Result<Output, Failure> {
    let profiles = Profiles::read()?;
    let (name, profile) = profiles.find(name)?.ok_or_else(profile::no_profile)?;
    let wanted = |own: &&Field| key.is_none_or(|key| key == **own);
    let fields: Vec<(&str, String)> = Field::value_variants()
        .iter()
        .filter(wanted)
        .filter_map(|key| Some((key.name(), key.of(profile, reveal)?)))
        .collect();
    let json: Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    match (key, fields.first()) {
        (Some(key), None) => {
            Err(Failure::new(Exit::Absent, format!("profile {name} has no {}", key.name())))
        }
        (Some(_), Some((_, value))) => Ok(Output::new(value.clone(), json.into())),
        (None, _) => {
            Ok(Output::table(Table::of_fields(fields), json.into()).note(format!("profile {name}")))
        }
    }
}

fn changed(key: Field, value: Option<&str>, name: Option<&str>) -> Result<Output, Failure> {
    Profiles::change(name, |profile| key.set(profile, value))?;
    Ok(Output::new(String::new(), serde_json::json!({ "changed": key.name() }))
        .note(format!("{} is changed", key.name())))
}

fn list() -> Result<Output, Failure> {
    let profiles = Profiles::read()?;
    let rows = profiles.profiles.iter().map(|(name, profile)| {
        let is_default = profiles.default.as_ref() == Some(name);
        let mark = if is_default { "default" } else { "" };
        vec![name.clone(), profile.url.to_string(), mark.to_owned()]
    });
    let table = Table::new(&["NAME", "URL", ""], rows.collect()).cut(&[0]);
    let names: Vec<_> = profiles.profiles.keys().collect();
    let json = serde_json::json!({ "default": profiles.default, "profiles": names });
    Ok(Output::table(table, json))
}

impl Field {
    const fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Gate => "gate",
            Self::Workspace => "workspace",
            Self::Issuer => "issuer",
            Self::ClientId => "client_id",
            Self::Token => "token",
            Self::ApiKey => "api_key",
            Self::SigningSecret => "signing_secret",
        }
    }

    fn of(self, profile: &Profile, reveal: bool) -> Option<String> {
        let site = |site: &Site| site.to_string();
        let secret = |secret: &Secret| {
            if reveal { secret.expose().to_owned() } else { secret.redacted() }
        };
        match self {
            Self::Url => Some(site(&profile.url)),
            Self::Gate => profile.gate.as_ref().map(site),
            Self::Workspace => profile.workspace.clone(),
            Self::Issuer => profile.issuer.as_ref().map(site),
            Self::ClientId => profile.client_id.clone(),
            Self::Token => profile.token.as_ref().map(secret),
            Self::ApiKey => profile.api_key.as_ref().map(secret),
            Self::SigningSecret => profile.signing_secret.as_ref().map(secret),
        }
    }

    fn set(self, profile: &mut Profile, value: Option<&str>) -> Result<(), Failure> {
        let wrong = |reason: String| Failure::refused(format!("{}: {reason}", self.name()));
        let site = || value.map(Site::parse).transpose().map_err(wrong);
        let secret = || {
            let parsed = value.map(Secret::parse).transpose();
            parsed.map_err(|reason| wrong(reason.to_owned()))
        };
        match self {
            // A token is for the deployment that it was given for.
            Self::Url => *profile = Profile::new(site()?.ok_or_else(|| wrong(NEEDED.to_owned()))?),
            Self::Gate => profile.gate = site()?,
            Self::Workspace => {
                profile.workspace = value.map(workspace_number).transpose().map_err(wrong)?;
            }
            Self::Issuer => profile.issuer = site()?,
            // One word, as secrets are.
            Self::ClientId => profile.client_id = secret()?.map(|own| own.expose().to_owned()),
            Self::Token => profile.token = secret()?,
            Self::ApiKey => profile.api_key = secret()?,
            Self::SigningSecret => profile.signing_secret = secret()?,
        }
        Ok(())
    }
}

const NEEDED: &str = "a profile has one";
