//! `setup`, `login`, `whoami`.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use serde_json::{Value, json};

use crate::api::{Client, Retry, wrong_shape};
use crate::login::{self, How};
use crate::machine;
use crate::online::{Online, workspace_number};
use crate::output::{Exit, Failure, Output};
use crate::profile::{Profile, Profiles, no_profile};
use crate::secret::Secret;
use crate::site::Site;
use crate::token;
use crate::view;

#[derive(Args)]
pub(crate) struct Setup {
    /// What the profile is called.
    #[arg(long, env = "PORTCULLIS_PROFILE", default_value = "default", value_name = "NAME")]
    profile: String,
    /// The URL of the management API [default: it is asked for].
    #[arg(long, env = "PORTCULLIS_URL", value_parser = Site::parse)]
    url: Option<Site>,
    /// Where gated requests go, for `request`.
    #[arg(long, value_parser = Site::parse, value_name = "URL")]
    gate: Option<Site>,
    /// The workspace's number [default: the caller's, if there is just one].
    #[arg(long, env = "PORTCULLIS_WORKSPACE", value_parser = workspace_number, value_name = "NUMBER")]
    workspace: Option<String>,
    #[command(flatten)]
    sign_in: SignIn,
}

#[derive(Args)]
pub(crate) struct Login {
    /// The profile [default: the last that was set up or chosen].
    #[arg(long, env = "PORTCULLIS_PROFILE", value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    sign_in: SignIn,
}

/// How to come to a token.
#[derive(Args)]
struct SignIn {
    /// The issuer that gives tokens [default: the token comes by standard input].
    #[arg(long, value_parser = Site::parse, value_name = "URL")]
    issuer: Option<Site>,
    /// What this client is called there.
    #[arg(long, default_value = "portcullis-cli")]
    client_id: String,
    /// Scopes to ask for.
    #[arg(long = "oauth-scope", value_name = "SCOPES")]
    scope: Option<String>,
    /// The audience to ask for, where the issuer has to be told.
    #[arg(long)]
    audience: Option<String>,
    /// Sign in on another machine, by a code (RFC 8628).
    #[arg(long)]
    device: bool,
    /// Read the token from standard input, whatever issuer there is.
    #[arg(long, conflicts_with_all = ["issuer", "device"])]
    token_stdin: bool,
}

pub(crate) fn setup(setup: Setup) -> Result<Output, Failure> {
    let profiles = Profiles::read()?;
    let before = profiles.profiles.get(&setup.profile);
    let known = before.map(|profile| profile.url.clone());
    let url = match setup.url.or(known) {
        Some(url) => url,
        None => asked_url()?,
    };
    let kept = before.filter(|profile| profile.url == url).cloned();
    let mut found = kept.unwrap_or_else(|| Profile::new(url));
    found.gate = setup.gate.or(found.gate);
    setup.sign_in.into_profile(&mut found)?;
    let me = me(&found)?;
    found.workspace = match setup.workspace {
        Some(number) => {
            client(&found).get(format!("/api/v1/workspaces/{number}"))?;
            Some(number)
        }
        None => only_workspace(&found)?.or(found.workspace),
    };
    let workspace = found.workspace.clone();
    Profiles::edit(|profiles| {
        profiles.default = Some(setup.profile.clone());
        match profiles.profiles.get_mut(&setup.profile).filter(|own| own.url == found.url) {
            // Its secrets may have been changed meanwhile.
            Some(own) => {
                own.gate = found.gate.clone();
                own.workspace = found.workspace.clone();
                own.signed_in(&found);
            }
            None => drop(profiles.profiles.insert(setup.profile.clone(), found)),
        }
        Ok(())
    })?;
    let who = view::field(&me, "subject");
    let words = match &workspace {
        Some(number) => format!("profile {}: {who}, workspace {number}", setup.profile),
        None => format!("profile {}: {who}; name a workspace by --workspace", setup.profile),
    };
    Ok(Output::new(
        String::new(),
        json!({ "profile": setup.profile, "workspace": workspace, "me": me }),
    )
    .note(words))
}

pub(crate) fn login(login: Login) -> Result<Output, Failure> {
    let profiles = Profiles::read()?;
    let (name, profile) = profiles.find(login.profile.as_deref())?.ok_or_else(no_profile)?;
    let mut found = profile.clone();
    login.sign_in.into_profile(&mut found)?;
    let me = me(&found)?;
    Profiles::change(Some(name), |own| {
        if own.url != found.url {
            return Err(Failure::refused("the profile is of another deployment meanwhile"));
        }
        own.signed_in(&found);
        Ok(())
    })?;
    let who = view::field(&me, "subject");
    Ok(Output::new(String::new(), me).note(format!("profile {name}: {who}")))
}

#[derive(Args)]
pub(crate) struct Nobody {}

pub(crate) fn whoami(online: &Online<Nobody>) -> Result<Output, Failure> {
    let me = online.connection.client()?.me()?;
    Ok(Output::table(view::fields(&me), me))
}

impl SignIn {
    /// Puts a token into the profile, and where it came from.
    fn into_profile(self, profile: &mut Profile) -> Result<(), Failure> {
        let of_profile = profile.issuer.clone().filter(|_| !self.token_stdin);
        let token = match self.issuer.or(of_profile) {
            Some(issuer) => {
                let client_id =
                    profile.client_id.clone().filter(|_| profile.issuer.as_ref() == Some(&issuer));
                let client_id = client_id.unwrap_or(self.client_id);
                let how = How {
                    issuer: &issuer,
                    client_id: &client_id,
                    scope: self.scope.as_deref(),
                    audience: self.audience.as_deref(),
                    device: self.device,
                };
                let token = login::token(&how)?;
                profile.issuer = Some(issuer);
                profile.client_id = Some(client_id);
                token
            }
            None if self.device => return Err(Failure::usage("--device: needs --issuer")),
            None => asked_token()?,
        };
        token::check_time(&token, machine::now()?)?;
        profile.token = Some(token);
        Ok(())
    }
}

/// Whom the deployment takes the holder of the token for.
fn me(profile: &Profile) -> Result<Value, Failure> {
    client(profile).me()
}

fn only_workspace(profile: &Profile) -> Result<Option<String>, Failure> {
    let body = client(profile).get("/api/v1/workspaces")?;
    let all = body.get("workspaces").and_then(Value::as_array);
    let all = all.ok_or_else(|| wrong_shape(&profile.url))?;
    Ok(match all.as_slice() {
        [one] => one.get("id").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    })
}

fn client(profile: &Profile) -> Client {
    Client::new(profile.url.clone(), profile.token.clone(), Retry { attempts: 4 })
}

fn asked_url() -> Result<Site, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("--url: where is the management API?"));
    }
    let _ = write!(io::stderr(), "URL of the management API: ");
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| Failure::io("standard input", &error))?;
    Site::parse(line.trim()).map_err(Failure::usage)
}

/// The token, by standard input: unseen if that is a terminal.
fn asked_token() -> Result<Secret, Failure> {
    let text = machine::unseen_text("an access token of an issuer that the policy names")?;
    let token = Secret::parse(text.trim());
    token.map_err(|reason| Failure::new(Exit::Unauthenticated, format!("the token: {reason}")))
}
