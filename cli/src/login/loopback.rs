//! Authorization code with PKCE, answered to a port of this machine (RFC 8252 §7.3, RFC 7636).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use portcullis::crypto;

use super::issuer::Issuer;
use super::{How, not_signed_in};
use crate::machine;
use crate::output::{Failure, note};
use crate::secret::Secret;
use crate::site::Endpoint;

pub(super) fn token(
    issuer: &Issuer,
    authorization: &Endpoint,
    how: &How<'_>,
) -> Result<Secret, Failure> {
    let io = |error| Failure::io("a port of this machine", &error);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io)?;
    let port = listener.local_addr().map_err(io)?.port();
    let redirect = format!("http://127.0.0.1:{port}/callback");
    let verifier = BASE64URL_NOPAD.encode(&machine::entropy::<32>()?);
    let challenge = BASE64URL_NOPAD.encode(&crypto::sha256(verifier.as_bytes()));
    let state = BASE64URL_NOPAD.encode(&machine::entropy::<16>()?);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(how.fields())
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", &redirect)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("state", &state)
        .finish();
    note("Sign in with a browser on this machine:");
    note(&authorization.with(&query));
    let code = code(&listener, &state, &issuer.name)?;
    let redeemed = issuer.redeem([
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect.as_str()),
        ("client_id", how.client_id),
        ("code_verifier", verifier.as_str()),
    ])?;
    redeemed.map_err(|code| not_signed_in(&code))
}

/// Waits for the browser to bring the code.
fn code(listener: &TcpListener, state: &str, issuer: &str) -> Result<String, Failure> {
    let end = machine::uptime().saturating_add(PATIENCE);
    listener.set_nonblocking(true).map_err(|error| Failure::io("the port", &error))?;
    while machine::uptime() < end {
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(POLL);
            continue;
        };
        let Some(target) = target(&mut stream) else { continue };
        let query = target.strip_prefix("/callback?").unwrap_or_default();
        let field = |name: &str| {
            let mut fields = form_urlencoded::parse(query.as_bytes());
            fields.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
        };
        // Whatever does not know the state is not the browser that was sent.
        if field("state").as_deref() != Some(state) {
            answer(&mut stream, 404, "There is nothing here.");
            continue;
        }
        // RFC 9207: the answer of another issuer is none.
        if field("iss").is_some_and(|named| named != issuer) {
            answer(&mut stream, 400, "Another issuer has answered.");
            return Err(not_signed_in("another issuer has answered"));
        }
        return match (field("code"), field("error")) {
            (Some(code), None) => {
                answer(&mut stream, 200, "Signed in. Go back to the terminal.");
                Ok(code)
            }
            (_, error) => {
                answer(&mut stream, 400, "Not signed in. Go back to the terminal.");
                Err(not_signed_in(&error.unwrap_or_else(|| "no code".to_owned())))
            }
        };
    }
    Err(not_signed_in("nobody came in 5 minutes"))
}

/// The target of a GET.
fn target(stream: &mut TcpStream) -> Option<String> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(READ)).ok()?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    (words.next() == Some("GET")).then(|| words.next().map(str::to_owned)).flatten()
}

fn answer(stream: &mut TcpStream, status: u16, words: &str) {
    let length = words.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} -\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{words}"
    );
    // The rest of the request is read, or the answer might be lost with it.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = std::io::copy(&mut stream.take(MAX_LINE), &mut std::io::sink());
}

/// Seconds.
const PATIENCE: u64 = 300;
const POLL: Duration = Duration::from_millis(50);
const READ: Duration = Duration::from_secs(2);
/// Bytes.
const MAX_LINE: u64 = 16 * 1024;
