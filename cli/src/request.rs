//! `sign` and `request`: a request at the gate, as a client of it sends it.

use std::fs;

use clap::Args;
use data_encoding::BASE64;
use serde_json::{Map, Value, json};
use ureq::http::{Request as HttpRequest, Response, StatusCode, Uri};

use crate::api::{Retry, agent, body_of, exit, retry_after, unreachable};
use crate::keys::SignatureVersion;
use crate::machine;
use crate::online::variable;
use crate::output::{Exit, Failure, Output};
use crate::profile::{Profile, Profiles};
use crate::secret::Secret;
use crate::signer::{Mode, Sent, Signer};
use crate::site::Site;

/// A request.
#[derive(Args)]
struct Asked {
    /// A path at the profile's gate, as /v1/agents?page=2, or a whole URL.
    #[arg(value_name = "PATH|URL")]
    target: String,
    /// Its method [default: GET, or POST with --data].
    #[arg(long, short = 'X')]
    method: Option<String>,
    /// Its body; @FILE reads a file, @- standard input.
    #[arg(long, short)]
    data: Option<String>,
    /// Its Content-Type, if it has a body.
    #[arg(long, default_value = "application/json", value_name = "TYPE")]
    content_type: String,
    /// By which rules it is signed.
    #[arg(long, value_enum, default_value = "v2", value_name = "VERSION")]
    signature_version: SignatureVersion,
    /// Signature version 1: sign a nonce.
    #[arg(long)]
    signature_nonce: bool,
    /// The profile [default: the last that was set up or chosen].
    #[arg(long, env = "PORTCULLIS_PROFILE", value_name = "NAME")]
    profile: Option<String>,
}

/// Prints the headers of a signed request, or a curl line. The secret is the profile's, or
/// PORTCULLIS_SIGNING_SECRET.
#[derive(Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    asked: Asked,
    /// What goes with it besides the signature.
    #[arg(long, value_enum, default_value = "only")]
    signature: Mode,
    /// Print a line for a shell.
    #[arg(long)]
    curl: bool,
}

/// Sends a request and prints the answer. Key and signing secret are the profile's, or
/// PORTCULLIS_API_KEY and PORTCULLIS_SIGNING_SECRET.
#[derive(Args)]
pub(crate) struct Send {
    #[command(flatten)]
    asked: Asked,
    /// What goes with it: the key, a signature, or both.
    #[arg(long, value_enum, default_value = "none")]
    signature: Mode,
    /// One more header, as `Name: value`; may be repeated.
    #[arg(long, short = 'H', value_name = "HEADER")]
    header: Vec<String>,
    /// Print status and headers, too.
    #[arg(long, short)]
    include: bool,
    /// How often it is sent again if it is refused for now: 429, and without a change to be made 503.
    #[arg(long, env = "PORTCULLIS_RETRIES", default_value_t = 4, value_name = "COUNT")]
    retries: u32,
}

/// A request that is ready to be signed.
struct Ready {
    site: Site,
    uri: Uri,
    method: String,
    headers: Vec<(String, String)>,
    content_type: Option<String>,
    body: Vec<u8>,
    profile: Option<Profile>,
}

pub(crate) fn sign(sign: &Sign) -> Result<Output, Failure> {
    let ready = Ready::of(&sign.asked, &[])?;
    if sign.signature == Mode::None {
        return Err(Failure::usage("--signature: required or only"));
    }
    let headers = ready.signed(&sign.asked, sign.signature)?;
    let mut lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let json: Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    if !sign.curl {
        return Ok(Output::new(lines.join("\n"), json.into()));
    }
    lines.extend(ready.content_type.iter().map(|own| format!("Content-Type: {own}")));
    let is_head = ready.method == "HEAD";
    if is_head && !ready.body.is_empty() {
        return Err(Failure::usage("--curl: curl sends no body with HEAD"));
    }
    let method =
        if is_head { "--head".to_owned() } else { format!("-X {}", quoted(&ready.method)) };
    // What was signed is sent as it stands: no patterns, no dots resolved, no files read.
    let mut line =
        format!("curl -i --globoff --path-as-is {method} {}", quoted(&ready.uri.to_string()));
    for header in &lines {
        line.push_str(&format!(" -H {}", quoted(header)));
    }
    if sign.signature == Mode::Required {
        // From the environment of whoever runs it, by a builtin of the shell: in no history of commands and no
        // list of processes.
        line.push_str(" -H @-");
        line.insert_str(0, BEARER);
    }
    if !ready.body.is_empty() {
        let body = String::from_utf8(ready.body).map_err(|_| {
            Failure::refused("--curl: a body that is no text cannot stand in a line")
        })?;
        line.push_str(&format!(" --data-raw {}", quoted(&body)));
    }
    Ok(Output::new(line, json.into()))
}

pub(crate) fn send(send: &Send) -> Result<Output, Failure> {
    let ready = Ready::of(&send.asked, &send.header)?;
    let retry = Retry { attempts: send.retries };
    let mut attempt = 0;
    loop {
        let response = once(send, &ready)?;
        let status = response.status();
        let is_read = matches!(ready.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let again = status == StatusCode::TOO_MANY_REQUESTS
            || (is_read && status == StatusCode::SERVICE_UNAVAILABLE);
        let why = format!("answered {}", status.as_u16());
        if !again || !retry.wait(attempt, retry_after(&response)?, &why)? {
            return told(response, &ready.site, send.include);
        }
        attempt = attempt.saturating_add(1);
    }
}

/// Sends it, signed for this time.
fn once(send: &Send, ready: &Ready) -> Result<Response<ureq::Body>, Failure> {
    let mut request = HttpRequest::builder().method(ready.method.as_str()).uri(&ready.uri);
    if send.signature != Mode::None {
        for (name, value) in ready.signed(&send.asked, send.signature)? {
            request = request.header(name, value);
        }
    }
    if send.signature != Mode::Only
        && let Some(key) = ready.secret("PORTCULLIS_API_KEY", |own| own.api_key.as_ref())?
    {
        request = request.header("Authorization", format!("Bearer {}", key.expose()));
    }
    for (name, value) in &ready.headers {
        request = request.header(name, value);
    }
    if let Some(content_type) = &ready.content_type {
        request = request.header("Content-Type", content_type);
    }
    let agent = agent(&ready.site);
    let wrong = |_| Failure::usage("method, URL or header is none of HTTP");
    let answer = if ready.body.is_empty() {
        agent.run(request.body(()).map_err(wrong)?)
    } else {
        agent.run(request.body(ready.body.as_slice()).map_err(wrong)?)
    };
    answer.map_err(|error| unreachable(&ready.site, &error))
}

fn told(response: Response<ureq::Body>, site: &Site, include: bool) -> Result<Output, Failure> {
    let status = response.status();
    let headers: Vec<(String, String)> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let body = body_of(response, site)?;
    let mut bytes = Vec::new();
    if include {
        bytes.extend(format!("HTTP/1.1 {status}\n").bytes());
        for (name, value) in &headers {
            bytes.extend(format!("{name}: {value}\n").bytes());
        }
        bytes.push(b'\n');
    }
    bytes.extend(&body);
    let headers: Map<String, Value> =
        headers.into_iter().map(|(name, value)| (name, value.into())).collect();
    let mut json = json!({ "status": status.as_u16(), "headers": headers });
    if let Some(fields) = json.as_object_mut() {
        let (name, text) = match String::from_utf8(body) {
            Ok(text) => ("body", text),
            Err(error) => ("body_base64", BASE64.encode(error.as_bytes())),
        };
        fields.insert(name.to_owned(), text.into());
    }
    let output = Output::bytes(bytes, json).note(status.to_string());
    let told = Map::from_iter([("status".to_owned(), status.as_u16().into())]);
    let exit = exit(status);
    if exit == Exit::Done {
        return Ok(output);
    }
    Ok(output.failing(Failure::new(exit, status).telling(told)))
}

impl Ready {
    fn of(asked: &Asked, headers: &[String]) -> Result<Self, Failure> {
        let profiles = Profiles::read()?;
        let profile = profiles.find(asked.profile.as_deref())?.map(|(_, own)| own.clone());
        let at_gate = asked.target.starts_with('/');
        let url = if at_gate {
            let gate = profile.as_ref().and_then(|own| own.gate.as_ref()).ok_or_else(|| {
                Failure::usage("a path needs the profile's gate: portcullis config set --key gate")
            })?;
            format!("{gate}{}", asked.target)
        } else {
            asked.target.clone()
        };
        let uri: Uri =
            url.parse().map_err(|_| Failure::usage("a path as /v1/agents, or a whole URL"))?;
        let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority());
        let authority = authority.map(ToString::to_string).unwrap_or_default();
        let site = Site::parse(&format!("{scheme}://{authority}")).map_err(Failure::usage)?;
        // The profile's secrets are for the profile's gate.
        let is_gate = profile.as_ref().is_some_and(|own| own.gate.as_ref() == Some(&site));
        let body = asked.data.as_deref().map(body).transpose()?.unwrap_or_default();
        let method = match (&asked.method, &asked.data) {
            (Some(method), _) => method.clone(),
            (None, Some(_)) => "POST".to_owned(),
            (None, None) => "GET".to_owned(),
        };
        let split = |line: &String| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        let headers: Option<Vec<_>> = headers.iter().map(split).collect();
        let mut headers = headers.ok_or_else(|| Failure::usage("--header: Name: value"))?;
        // There is one, and it is signed.
        let own = headers.extract_if(.., |(name, _)| name.eq_ignore_ascii_case("content-type"));
        let mut own: Vec<String> = own.map(|(_, value)| value).collect();
        if own.len() > 1 {
            return Err(Failure::usage("--header: Content-Type is given twice"));
        }
        let of_body = (!body.is_empty()).then(|| asked.content_type.clone());
        let content_type = own.pop().or(of_body);
        let profile = profile.filter(|_| is_gate);
        Ok(Self { site, uri, method, headers, content_type, body, profile })
    }

    fn signed(&self, asked: &Asked, mode: Mode) -> Result<Vec<(&'static str, String)>, Failure> {
        let secret = self.secret("PORTCULLIS_SIGNING_SECRET", |own| own.signing_secret.as_ref())?;
        let secret = secret.ok_or_else(|| {
            Failure::refused(
                "no signing secret for this URL: portcullis config set --key signing_secret, or \
                 PORTCULLIS_SIGNING_SECRET",
            )
        })?;
        let signer = Signer::new(secret, asked.signature_version, asked.signature_nonce)?;
        let content_type = self.content_type.as_deref();
        let sent = Sent { method: &self.method, uri: &self.uri, content_type, body: &self.body };
        signer.headers(&sent, mode)
    }

    fn secret(
        &self,
        name: &str,
        of_profile: impl Fn(&Profile) -> Option<&Secret>,
    ) -> Result<Option<Secret>, Failure> {
        Ok(variable(name)?.or_else(|| self.profile.as_ref().and_then(of_profile).cloned()))
    }
}

fn body(data: &str) -> Result<Vec<u8>, Failure> {
    match data.strip_prefix('@') {
        Some("-") => machine::stdin_bytes(),
        Some(file) => fs::read(file).map_err(|error| Failure::io(file, &error)),
        None => Ok(data.as_bytes().to_vec()),
    }
}

/// As one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
const BEARER: &str = "printf 'Authorization: Bearer %s\\n' \"$PORTCULLIS_API_KEY\" | ";
