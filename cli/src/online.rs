//! Whom to ask, and in whose name: flags, environment, profile, in this order.

use std::collections::BTreeSet;
use std::env;

use clap::Args;
use serde_json::Value;

use crate::api::{Call, Client, Reply, Retry, wrong_shape};
use crate::machine;
use crate::output::{Exit, Failure};
use crate::profile::{self, Profile, Profiles};
use crate::progress::Bar;
use crate::secret::Secret;
use crate::site::Site;
use crate::token;

/// A command that asks a deployment.
#[derive(Args)]
pub(crate) struct Online<T: Args> {
    #[command(flatten)]
    pub(crate) verb: T,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Which deployment. The token is that of the profile, or PORTCULLIS_TOKEN.
#[derive(Args)]
#[command(next_help_heading = "Deployment")]
pub(crate) struct Connection {
    /// The profile [default: the last that was set up or chosen].
    #[arg(long, env = "PORTCULLIS_PROFILE", value_name = "NAME")]
    profile: Option<String>,
    /// The URL of the management API, in place of the profile's.
    #[arg(long, env = "PORTCULLIS_URL", value_parser = Site::parse)]
    url: Option<Site>,
    /// The workspace's number, in place of the profile's [default: the caller's only one].
    #[arg(long, env = "PORTCULLIS_WORKSPACE", value_parser = workspace_number, value_name = "NUMBER")]
    workspace: Option<String>,
    /// How often a request that is refused for now (429, 503) is sent again.
    #[arg(long, env = "PORTCULLIS_RETRIES", default_value_t = 4, value_name = "COUNT")]
    retries: u32,
}

/// A workspace, and somebody who asks it.
pub(crate) struct Workspace {
    client: Client,
    path: String,
}

impl Connection {
    /// The profile that is meant, if there is one.
    pub(crate) fn profile(&self) -> Result<Option<(String, Profile)>, Failure> {
        let profiles = Profiles::read()?;
        let found = profiles.find(self.profile.as_deref())?;
        Ok(found.map(|(name, profile)| (name.to_owned(), profile.clone())))
    }

    /// Its name, as it was given.
    pub(crate) fn profile_name(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// That what is asked for can be kept in the profile: before it is asked for, as no secret comes twice.
    pub(crate) fn check_keeps(&self) -> Result<(), Failure> {
        let (name, profile) = self.profile()?.ok_or_else(profile::no_profile)?;
        if self.url.as_ref().is_some_and(|url| *url != profile.url) {
            return Err(Failure::usage(format!(
                "--save: profile {name} is of {}, not of --url",
                profile.url
            )));
        }
        Profiles::edit(|_| Ok(()))
    }

    /// Somebody with a token.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let profile = self.profile()?;
        let site = self.site(profile.as_ref())?;
        let token = match variable("PORTCULLIS_TOKEN")? {
            Some(token) => Some(token),
            // A profile's token is for the profile's deployment.
            None => profile.filter(|(_, own)| own.url == site).and_then(|(_, own)| own.token),
        };
        let token = token.ok_or_else(|| {
            let words = format!("no token for {site}: portcullis login, or PORTCULLIS_TOKEN");
            Failure::new(Exit::Unauthenticated, words)
        })?;
        token::check_time(&token, machine::now()?)?;
        Ok(Client::new(site, Some(token), self.retry()))
    }

    /// Somebody with the API key of the environment or the profile.
    pub(crate) fn key_holder(&self) -> Result<Client, Failure> {
        let profile = self.profile()?;
        let site = self.site(profile.as_ref())?;
        let own = profile.filter(|(_, own)| own.url == site).and_then(|(_, own)| own.api_key);
        let key = variable("PORTCULLIS_API_KEY")?.or(own).ok_or_else(|| {
            let words = "no API key: portcullis config set --key api_key, or PORTCULLIS_API_KEY";
            Failure::new(Exit::Unauthenticated, words)
        })?;
        Ok(Client::new(site, Some(key), self.retry()).by_key())
    }

    /// Somebody with a token, in the workspace that is meant.
    pub(crate) fn workspace(&self) -> Result<Workspace, Failure> {
        let client = self.client()?;
        let of_profile = || Ok(self.profile()?.and_then(|(_, profile)| profile.workspace));
        let number = self.workspace.clone().map_or_else(of_profile, |own| Ok(Some(own)))?;
        let number = number.unwrap_or_else(|| CURRENT.to_owned());
        let number = workspace_number(&number)
            .map_err(|reason| Failure::usage(format!("--workspace: {reason}")))?;
        Ok(Workspace { client, path: format!("/api/v1/workspaces/{number}") })
    }

    /// One workspace, whatever the flags and the profile name.
    pub(crate) fn workspace_of(
        &self,
        number: &portcullis::key::Workspace,
    ) -> Result<Workspace, Failure> {
        let path = format!("/api/v1/workspaces/{}", number.as_str());
        Ok(Workspace { client: self.client()?, path })
    }

    /// Where the management API is, and where the profile says that gated requests go.
    pub(crate) fn sites(&self) -> Result<(Site, Option<Site>), Failure> {
        let profile = self.profile()?;
        let admin = self.site(profile.as_ref())?;
        let gate = profile.filter(|(_, own)| own.url == admin).and_then(|(_, own)| own.gate);
        Ok((admin, gate))
    }

    fn site(&self, profile: Option<&(String, Profile)>) -> Result<Site, Failure> {
        let of_profile = || profile.map(|(_, profile)| profile.url.clone());
        self.url.clone().or_else(of_profile).ok_or_else(profile::no_profile)
    }

    const fn retry(&self) -> Retry {
        Retry { attempts: self.retries }
    }
}

impl Workspace {
    /// The target of something in it: `""`, `/api-keys` …
    pub(crate) fn at(&self, rest: &str) -> String {
        format!("{}{rest}", self.path)
    }

    /// The deployment that it is asked of.
    pub(crate) const fn site(&self) -> &Site {
        self.client.site()
    }

    /// Whom the deployment takes the holder of the token for.
    pub(crate) fn member(&self) -> Result<String, Failure> {
        self.client.me().map(|me| crate::view::field(&me, "subject"))
    }

    pub(crate) const fn retry(&self) -> Retry {
        self.client.retry()
    }

    pub(crate) fn get(&self, rest: &str) -> Result<Value, Failure> {
        self.client.get(self.at(rest))
    }

    /// A change, sent until it is known to be done.
    pub(crate) fn change(
        &self,
        method: &'static str,
        rest: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        self.client.send(&Call::change(method, self.at(rest), body)?)
    }

    pub(crate) fn send(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        self.client.send(call)
    }

    /// A list that comes in pages, as one page.
    pub(crate) fn all(
        &self,
        rest: &str,
        items: &'static str,
        most: usize,
    ) -> Result<Value, Failure> {
        let mark = if rest.contains('?') { '&' } else { '?' };
        let mut bar = Bar::open(items);
        let (mut all, mut cursor) = (Vec::new(), String::new());
        let mut cursors = Cursors::default();
        loop {
            let page = most.saturating_sub(all.len()).min(PAGE);
            let mut body = self.get(&format!("{rest}{mark}limit={page}{cursor}"))?;
            match body.get_mut(items) {
                Some(Value::Array(items)) => all.append(items),
                _ => return Err(wrong_shape(self.site())),
            }
            match body.get("next").and_then(Value::as_str) {
                Some(next) if all.len() < most => {
                    cursor = cursors.query(next, self.site())?;
                    bar.advance(all.len().saturating_sub(bar.done()));
                }
                next => {
                    bar.end();
                    return Ok(serde_json::json!({ items: all, "next": next }));
                }
            }
        }
    }
}

/// Places of pages, each of which comes once.
#[derive(Default)]
pub(crate) struct Cursors(BTreeSet<String>);

impl Cursors {
    /// The query of the next page.
    pub(crate) fn query(&mut self, next: &str, site: &Site) -> Result<String, Failure> {
        if !self.0.insert(next.to_owned()) {
            return Err(Failure::refused(format!("{site} gives one page again and again")));
        }
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        Ok(format!("&cursor={next}"))
    }
}

/// A workspace's number, or `current`: the caller's only one. The reason does not repeat the text.
pub(crate) fn workspace_number(text: &str) -> Result<String, String> {
    let fits = text == CURRENT || portcullis::key::Workspace::parse(text).is_some();
    let wrong = || "a workspace's number is 6 of 0-9 and A-Z without I, L, O, U".to_owned();
    fits.then(|| text.to_owned()).ok_or_else(wrong)
}

/// A secret in the environment; an empty one is none.
pub(crate) fn variable(name: &str) -> Result<Option<Secret>, Failure> {
    match env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => {
            let secret = Secret::parse(text.trim_end());
            secret.map(Some).map_err(|reason| Failure::refused(format!("{name}: {reason}")))
        }
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Failure::refused(format!("{name}: not Unicode"))),
    }
}

const PAGE: usize = 100;
const CURRENT: &str = "current";
